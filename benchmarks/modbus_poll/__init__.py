"""What Modbus polling costs, beside pymodbus, libmodbus and Telegraf; and the shared gateway."""
