// A Modbus TCP server on the npm package modbus-serial: a gateway with units 1 and 2, 3 is dead.
const { ServerTCP } = require("modbus-serial");
const known = (unit, give) => {
  if (unit === 3) throw { modbusErrorCode: 0x0b };
  return give;
};
const server = new ServerTCP(
  {
    getInputRegister: (address, unit) => known(unit, 1000 * unit + address),
    getHoldingRegister: (address, unit) => known(unit, 2000 * unit + address),
    getCoil: (address, unit) => known(unit, address % 2 === unit % 2),
    getDiscreteInput: (address, unit) => known(unit, address % 3 === 0),
  },
  { host: "127.0.0.1", port: 0, unitID: 255 },
);
server.on("initialized", () => console.log(server._server.address().port));
