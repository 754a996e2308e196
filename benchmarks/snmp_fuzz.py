"""Mutated messages against everything of ours that reads SNMP: no crash, no hang, memory flat.

usage: python -m benchmarks.snmp_fuzz [--messages 1000000] [--seed 1]

Prints one JSON object. A crash is any exception but those by which the codec refuses.
"""

import argparse
import contextlib
import json
import random
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from collectors.snmp import pdu, v3
from collectors.snmp.ber import (
    IP_ADDRESS,
    OBJECT_ID,
    OCTETS,
    OPAQUE,
    SEQUENCE,
    Malformed,
    decode_oid,
    encode_integer,
    encode_oid,
    header,
    tlv,
)
from collectors.snmp.engines import Engines
from collectors.snmp.message import V2C, Community, Refused, decode_pdu, inside, request_id_of
from collectors.snmp.pdu import FIRST_ID, REPORT, RESPONSE
from collectors.snmp.traps import INFORM, TRAP, TRAP_V1, decode_notification
from collectors.snmp.traps_v3 import Engine, Inbox, Reply
from collectors.snmp.usm import AUTH, PRIV, KeyRing, User
from collectors.snmp.v3 import AUTHENTIC, PRIVATE, REPORTABLE, Usm
from collectors.snmp.values import text_of

_ENGINE = bytes.fromhex("80001f8804616263")
_SECURE = User("lin", AUTH["sha"], PRIV["aes128"], "password-1", "password-2")
_OPEN = User("open")
_VALUES = (
    encode_integer(-(2**31)),
    encode_integer(2**32 - 1, 0x41),
    encode_integer(2**64 - 1, 0x46),
    tlv(OCTETS, b"text of a device"),
    tlv(OBJECT_ID, encode_oid("1.3.6.1.4.1.318.1.3")),
    tlv(IP_ADDRESS, bytes((192, 0, 2, 1))),
    tlv(OPAQUE, b"\x9f\x78\x04\x3f\xc0\x00\x00"),
    b"\x05\x00",
    b"\x81\x00",
)


@dataclass(slots=True)
class Result:
    """What a run gave."""

    messages: int = 0
    taken: int = 0  # still sound after the mutation
    slowest_ms: float = 0.0
    grown_mb: float = 0.0  # peak memory since the first tenth of the run
    refused: dict[str, int] = field(default_factory=dict)
    crashes: list[str] = field(default_factory=list)  # the exception and the message, in hex


def fuzz(messages: int, seed: int = 1) -> Result:
    """Mutate and read so many messages."""
    rng, out = random.Random(seed), Result(messages)
    readers = [(make(), seeds) for make, seeds in _readers()]
    calm_mb = 0.0
    for n in range(messages):
        if n == messages // 10:
            calm_mb = _peak_mb()
        read, seeds = readers[n % len(readers)]
        data = mutated(rng, seeds)
        began = time.perf_counter()
        try:
            read(data)
            out.taken += 1
        except (Malformed, Refused, Reply) as error:
            name = type(error).__name__
            out.refused[name] = out.refused.get(name, 0) + 1
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            out.crashes.append(f"{error!r} {data.hex()}")
        out.slowest_ms = max(out.slowest_ms, (time.perf_counter() - began) * 1e3)
    out.grown_mb = _peak_mb() - calm_mb
    return out


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A sound message with some of its octets changed, cut, doubled or made up."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.choice((0x00, 0x7F, 0x80, 0x81, 0x82, 0x84, 0x88, 0xFF, 0x30, 0x06))
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 9, 400))]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 9, 400)))
        elif kind == 4:
            end = at + rng.randrange(40)
            data[at:at] = data[at:end] * rng.choice((1, 2, 30))
        elif kind == 5:
            data[at:at] = bytes((rng.choice((0x80, 0xFF)),)) * rng.choice((5, 200, 5000))
        else:
            other = rng.choice(seeds)
            data[at:] = other[rng.randrange(len(other)) :]
        if not data:
            data.append(rng.randrange(256))
    return bytes(data[:65507])


Reader = Callable[[bytes], object]


def _readers() -> list[tuple[Callable[[], Reader], list[bytes]]]:
    """What reads, and sound messages for it to begin with."""
    binds = b"".join(
        tlv(SEQUENCE, tlv(OBJECT_ID, encode_oid(f"1.3.6.1.2.1.1.{n}.0")) + value)
        for n, value in enumerate(_VALUES)
    )
    plain, report = _pdu(RESPONSE, binds), _pdu(REPORT, _stat(4))
    trap = _pdu(TRAP, _trap_binds() + binds)
    inform = _pdu(INFORM, _trap_binds() + binds)
    head = encode_integer(V2C) + tlv(OCTETS, b"public")
    secured = _v3(_SECURE, AUTHENTIC | PRIVATE, plain)
    bare = _v3(_OPEN, 0, plain)
    return [
        (_community, [tlv(SEQUENCE, head + body) for body in (plain, report)]),
        (lambda: _polled(_SECURE), [secured, _v3(User(""), 0, report), bare]),
        (lambda: _polled(_OPEN), [bare, _v3(_OPEN, 0, report)]),
        (lambda: _decrypted, [v3.scope(_ENGINE, b"", plain)]),
        (lambda: _trap, [tlv(SEQUENCE, head + body) for body in (trap, inform, _trap_v1(binds))]),
        (_inbox, [_v3(_OPEN, 0, trap), _v3(_OPEN, REPORTABLE, inform), _v3(_SECURE, 3, trap)]),
    ]


def _community() -> Reader:
    template = Community(V2C, b"public").template(pdu.get([]))

    def read(data: bytes) -> object:
        request_id_of(data)
        return _shown(template.open(data))

    return read


def _polled(user: User) -> Reader:
    access = Usm(user, ("192.0.2.1", 161), Engines(), lambda: 0.0)

    def read(data: bytes) -> object:
        request_id_of(data)
        if access.engine_id != _ENGINE:  # a mutated report has told another one
            with contextlib.suppress(Refused):
                access.open(_v3(User(""), 0, _pdu(REPORT, _stat(4))))
        return _shown(access.open(data))

    return read


def _decrypted(data: bytes) -> object:
    """What lies behind encryption, which a mutation does not get through."""
    frame = v3.Frame(1, 0, _ENGINE, 1, 1, b"", 0, b"", b"", 0, len(data))
    body, _ = v3.scoped_pdu(data, frame, _OPEN, KeyRing().keys(_OPEN, _ENGINE))
    return _shown(body)


def _shown(body: bytes) -> object:
    return [(decode_oid(bind.oid), text_of(bind.value)) for bind in decode_pdu(body).varbinds]


def _trap(data: bytes) -> object:
    _, at, end = inside(data)
    _, _, at = header(data, at, end)
    return [text_of(value) for _, value in decode_notification(data, at, end).varbinds]


def _inbox() -> Reader:
    inbox = Inbox([_OPEN, _SECURE], Engine(b"\x80\0\0\0\x05ourselves", 1), lambda: 0.0)

    def read(data: bytes) -> object:
        body, _, wrap = inbox.open(data)
        decode_notification(body, 0, len(body))
        return wrap(body)

    return read


def _pdu(kind: int, binds: bytes) -> bytes:
    return tlv(kind, encode_integer(FIRST_ID) + encode_integer(0) * 2 + tlv(SEQUENCE, binds))


def _stat(number: int) -> bytes:
    name = tlv(OBJECT_ID, encode_oid(f"1.3.6.1.6.3.15.1.1.{number}.0"))
    return tlv(SEQUENCE, name + encode_integer(1, 0x41))


def _trap_binds() -> bytes:
    name = tlv(OBJECT_ID, encode_oid("1.3.6.1.6.3.1.1.4.1.0"))
    return tlv(SEQUENCE, name + tlv(OBJECT_ID, encode_oid("1.3.6.1.2.1.33.2.1")))


def _trap_v1(binds: bytes) -> bytes:
    head = tlv(OBJECT_ID, encode_oid("1.3.6.1.2.1.33.2")) + tlv(IP_ADDRESS, bytes(4))
    numbers = encode_integer(6) + encode_integer(1) + encode_integer(1, 0x43)
    return tlv(TRAP_V1, head + numbers + tlv(SEQUENCE, binds))


def _v3(user: User, flags: int, body: bytes) -> bytes:
    keys = KeyRing().keys(user, _ENGINE)
    scoped = v3.scope(_ENGINE, b"", body)
    return v3.build(FIRST_ID, flags, user, keys, (_ENGINE, 1, 1), scoped, bytes(8))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    result = asdict(fuzz(args.messages, args.seed))
    print(json.dumps(result | {"crashes": result["crashes"][:20], "count": len(result["crashes"])}))
    raise SystemExit(bool(result["crashes"]))


if __name__ == "__main__":
    main()
