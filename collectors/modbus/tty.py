"""A serial line as an asyncio transport: set up with termios, read when there is something."""

import asyncio
import os
import termios
import tty

from collectors.modbus.profile import Link

_CHUNK = 512


def open_line(path: str, link: Link, connection: asyncio.Protocol) -> "SerialTransport":
    """Open a tty raw at the link's speed and parity; OSError where that fails."""
    speed = getattr(termios, f"B{link.baud}", None)
    if speed is None:
        raise OSError(f"{link.baud} baud is not a speed of this system")
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        _set_up(fd, speed, link.parity)
    except (OSError, termios.error) as error:
        os.close(fd)
        raise OSError(f"{path} is not a serial line: {error}") from error
    transport = SerialTransport(fd, connection)
    connection.connection_made(transport)
    return transport


def _set_up(fd: int, speed: int, parity: str) -> None:
    tty.setraw(fd, termios.TCSANOW)
    modes = termios.tcgetattr(fd)
    control = modes[2] & ~(termios.PARENB | termios.PARODD | termios.CSTOPB | termios.CSIZE)
    control |= termios.CS8 | termios.CREAD | termios.CLOCAL
    if parity == "N":
        control |= termios.CSTOPB  # Serial Line V1.02 section 2.5.1: two stop bits instead
    else:
        control |= termios.PARENB | (termios.PARODD if parity == "O" else 0)
    modes[2], modes[4], modes[5] = control, speed, speed
    termios.tcsetattr(fd, termios.TCSANOW, modes)
    termios.tcflush(fd, termios.TCIOFLUSH)


class SerialTransport(asyncio.Transport):
    """Just enough of a transport for requests of eight bytes and their answers."""

    def __init__(self, fd: int, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._fd = fd
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._readable)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            os.write(self._fd, data)
        except BlockingIOError:  # the line is jammed: the request will time out
            return
        except OSError as error:
            self._end(error)

    def is_closing(self) -> bool:
        return self._fd < 0

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:  # unplugged
            self._end(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._loop.call_soon(self._protocol.connection_lost, error)
