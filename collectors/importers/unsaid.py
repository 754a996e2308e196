"""What a register table as a whole does not say, asked once instead of for every line. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unsaid:
    """One convention of a table that somebody must tell; `default` is what is assumed."""

    key: str
    question: str
    choices: Mapping[str, str]
    default: str
    assumed: str  # one line for people who are not asked


def one_of_devices(devices: Sequence[str]) -> Unsaid:
    return Unsaid(
        "device",
        f"The file tells of {len(devices)} devices, a profile of one. Which one?",
        {str(number): device for number, device in enumerate(devices, 1)},
        "1",
        f"device 1 of {len(devices)}, {devices[0]}; import again for the others",
    )


def addresses_from(count: int) -> Unsaid:
    return Unsaid(
        "addresses",
        f"Is the first register of the device number 0 (as on the wire) or 1 ({count} addresses)?",
        {"0": "as on the wire", "1": "counted from 1: 101 is 100 on the wire"},
        "0",
        "addresses are those on the wire, counted from 0",
    )


def addresses_classic(example: str, table: str, wire: int) -> Unsaid:
    return Unsaid(
        "addresses",
        f"Addresses like {example}: the table and a number counted from 1, or as on the wire?",
        {
            "4xxxx": f"{example} is {table} {wire}",
            "0": f"{example} is {example} on the wire",
            "1": f"{example} is {int(example) - 1} on the wire",
        },
        "4xxxx",
        f"{example} means {table} {wire}, as the first digit tells the table",
    )


def no_scale(count: int, example: str) -> Unsaid:
    return Unsaid(
        "scale",
        f"Whole numbers without a scale: {count} ({example}). Is it 1?",
        {"1": "yes, all of them", "doubtful": "nobody knows: mark them doubtful"},
        "doubtful",
        f"a scale of 1 for {count} numbers that give none: marked doubtful",
    )


def factors(count: int, example: str) -> Unsaid:
    return Unsaid(
        "factors",
        f"Numbers with a scale above 1: {count} ({example}). What is done with the register?",
        {
            "multiply": "register x 10, for a scale of 10",
            "divide": "register / 10, for a scale of 10",
            "doubtful": "nobody knows: multiply, and mark them doubtful",
        },
        "doubtful",
        f"scales above 1 ({example}) multiply: {count} numbers marked doubtful",
    )


def no_type(count: int, example: str) -> Unsaid:
    return Unsaid(
        "type",
        f"Numbers without a type: {count} ({example}). Which 16 bits are they?",
        {"u16": "without a sign", "i16": "with a sign", "doubtful": "nobody knows: u16, doubtful"},
        "doubtful",
        f"u16 for {count} numbers that give no type: marked doubtful",
    )


def no_word_order(count: int, example: str) -> Unsaid:
    return Unsaid(
        "word_order",
        f"Numbers longer than a register: {count} ({example}). Which word stands first?",
        {
            "big": "the high word (ABCD)",
            "little": "the low word (CDAB)",
            "doubtful": "nobody knows: the high word, doubtful",
        },
        "doubtful",
        f"high word first in {count} long numbers: marked doubtful",
    )


def open_power(count: int, example: str) -> Unsaid:
    return Unsaid(
        "power",
        f"Powers of a plant with coolant: {count} ({example}). What are they?",
        {
            "electrical": "what the device takes from the mains",
            "heat": "heat carried by the coolant",
            "cooling": "the cooling it gives",
            "doubtful": "nobody knows: electrical, doubtful",
        },
        "doubtful",
        f"electrical power in {count} numbers that may be heat: marked doubtful",
    )
