"""The corpus' recordings as objects, as the recorder would have got them from the devices."""

from pathlib import Path

from collectors.snmp.ber import IP_ADDRESS, OBJECT_ID, OCTETS
from collectors.snmp.record_strip import Object
from collectors.snmp.recording import parsed

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "snmp"


def objects(recording: Path) -> list[Object]:
    """All objects of a recording; lines that no agent could send are left out."""
    lines = recording.read_bytes().replace(b"\r", b"").split(b"\n")
    return [one for text in lines if text and (one := _object(text)) is not None]


def _object(text: bytes) -> Object | None:
    oid, tag, value = text.split(b"|", 2)
    match tag:
        case b"4":
            return Object(oid.decode(), OCTETS, value)
        case b"4e":
            return Object(oid.decode(), OCTETS, value.decode("unicode_escape").encode("latin-1"))
        case b"64x":
            address = ".".join(str(octet) for octet in bytes.fromhex(value.decode()))
            return Object(oid.decode(), IP_ADDRESS, address)
        case b"6":
            return Object(oid.decode(), OBJECT_ID, value.decode().strip("."))
    try:
        return parsed(text.decode("latin-1"))
    except ValueError:
        return None
