/* libmodbus's client, nothing else: poll DEVICES PORT REGISTERS, every second, until it is ended. */
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int devices = atoi(argv[1]), port = atoi(argv[2]), count = atoi(argv[3]);
    modbus_t **line = calloc(devices, sizeof *line);
    uint16_t words[125];
    volatile float value;
    for (int n = 0; n < devices; n++) {
        char address[32];
        snprintf(address, sizeof address, "127.1.%d.%d", n / 250, n % 250 + 1);
        line[n] = modbus_new_tcp(address, port);
        modbus_set_slave(line[n], 1);
        if (modbus_connect(line[n]) != 0)
            return 1;
    }
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (;;) {
        for (int n = 0; n < devices; n++) {
            if (modbus_read_input_registers(line[n], 0, count, words) != count)
                return 1;
            for (int i = 0; i < count; i += 2)
                value = modbus_get_float_abcd(words + i);
        }
        due.tv_sec += 1;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
}
