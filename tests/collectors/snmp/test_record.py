"""Recordings: whole, in order, without what is private; broken off and taken up again."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from collectors.base import CollectError, Target, parse_url
from collectors.profile import Profile
from collectors.snmp.ber import INTEGER, OCTETS, OPAQUE
from collectors.snmp.record import Recorded, Wish, record
from collectors.snmp.recording import OtherDevice, line, parsed
from collectors.snmp.survey import probe
from dcim.clock import ManualClock
from fixtures.peers.replay import Recording, ReplayAgent, load
from tests.collectors.snmp.peers import UPS, target

PRIVATE = b"""\
1.0.8802.1.1.2.1.4.1.1.9.0.1.1|4|neighbour-switch-7
1.3.6.1.2.1.1.1.0|4|Linux rack-host-3 5.10 card sn QS1234567890
1.3.6.1.2.1.1.2.0|6|1.3.6.1.2.1.33
1.3.6.1.2.1.1.4.0|4|Jane Doe <jane@corp.example>, +86 21 5555 1234
1.3.6.1.2.1.1.5.0|4|ups-shanghai-07
1.3.6.1.2.1.1.6.0|4|Room 12, Shanghai
1.3.6.1.2.1.2.2.1.6.1|4x|00c0b7123456
1.3.6.1.2.1.4.20.1.1.10.20.30.40|64|10.20.30.40
1.3.6.1.2.1.33.1.1.5.0|4|Janes UPS
1.3.6.1.2.1.47.1.1.1.1.11.1|4|QS1234567890
1.3.6.1.4.1.318.1.1.1.0|4|trap receiver 10.20.30.41, mail bob@corp.example
1.3.6.1.4.1.318.1.1.2.0|4|00:c0:b7:aa:bb:cc fe80::2c0:b7ff:feaa:bbcc
1.3.6.1.4.1.318.1.1.3.0|4|managed as ups-shanghai-07 with s3cret-word
1.3.6.1.4.1.318.1.1.4.10.20.30.40.1|2|7
1.3.6.1.4.1.318.1.1.5.0|64|10.20.30.42
1.3.6.1.4.1.318.1.1.6.0|4|firmware v6.4.0.1 of 2024-05-01, 12:30:45
1.3.6.1.4.1.318.1.1.7.0|4|Model AP8959NA3, 230 V
1.3.6.1.4.1.318.1.1.8.0|4|10.20.30.40
1.3.6.1.4.1.318.1.1.9.0|4|made as ZZ0123456789
1.3.6.1.6.3.18.1.1.1.2.1.97|4|s3cret-word
"""
SECRETS = (
    "neighbour",
    "rack-host",
    "QS123",
    "jane",
    "doe",
    "5555",
    "shanghai",
    "c0b7",
    "c0:b7",
    "10.20.30",
    "bob",
    "corp.example",
    "s3cret",
    "janes",
    "2c0:b7ff",
)
NAME = "s3cret-word"


@pytest.fixture
async def device() -> AsyncIterator[ReplayAgent]:
    recording = Recording.parse(PRIVATE.splitlines())
    async with await ReplayAgent({NAME: recording}).start() as one:
        yield one


def wanted(port: int, name: str = NAME) -> Target:
    return Target("d", parse_url(f"snmp://{name}@127.0.0.1:{port}"))


async def made(
    one: Target,
    folder: Path,
    profiles: dict[str, Profile],
    progress: Callable[[Path, int, str], None] = lambda _part, _objects, _oid: None,
    keep_serials: bool = False,
) -> Recorded:
    wish = Wish(folder, "acme", rate=10_000, keep_serials=keep_serials)
    return await record(one, wish, profiles, progress)


def pull_the_plug(_part: Path, objects: int, _oid: str) -> None:
    if objects >= 10:
        raise ConnectionAbortedError


async def test_nothing_private_is_in_a_recording(
    device: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    done = await made(wanted(device.port), tmp_path, profiles)
    text = done.file.read_text("ascii").lower()
    assert [secret for secret in SECRETS if secret.lower() in text] == []
    assert not done.file.with_suffix(".part").exists()


async def test_what_identifies_a_family_stays(
    device: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    text = (await made(wanted(device.port), tmp_path, profiles)).file.read_text("ascii")
    assert "1.3.6.1.2.1.1.2.0|6|1.3.6.1.2.1.33\n" in text
    assert "firmware v6.4.0.1 of 2024-05-01, 12:30:45\n" in text
    assert "Model AP8959NA3, 230 V\n" in text


async def test_serial_numbers_stay_where_that_is_asked_for(
    device: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    done = await made(wanted(device.port), tmp_path, profiles, keep_serials=True)
    assert "QS1234567890" in done.file.read_text("ascii")


async def test_a_recording_probes_like_its_device(
    agent: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    done = await made(wanted(agent.port, "ups"), tmp_path, profiles)
    assert done.objects == len(UPS.splitlines())
    clock = ManualClock()
    original = await probe(target("ups", agent.port), profiles, clock)
    async with await ReplayAgent(load(tmp_path)).start() as replayed:
        again = await probe(target("acme", replayed.port), profiles, clock)
    assert [(r.metric, r.value, r.source) for r in again.readings] == [
        (r.metric, r.value, r.source) for r in original.readings
    ]
    assert again.readings


async def test_a_broken_recording_is_taken_up_where_it_broke(
    agent: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    with pytest.raises(ConnectionAbortedError):
        await made(wanted(agent.port, "ups"), tmp_path, profiles, pull_the_plug)
    part = tmp_path / "acme.part"
    part.write_text(part.read_text("ascii") + "1.3.6.1.2.1.33.1.2", "ascii")  # half a line
    done = await made(wanted(agent.port, "ups"), tmp_path, profiles)
    assert done.resumed == 10
    assert done.file.read_bytes() == UPS
    assert not part.exists()


async def test_a_recording_taken_up_tells_of_both_halves(
    device: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    whole = await made(wanted(device.port), tmp_path / "whole", profiles)
    begun: list[int] = []
    with pytest.raises(ConnectionAbortedError):
        await made(wanted(device.port), tmp_path, profiles, pull_the_plug)
    done = await made(
        wanted(device.port), tmp_path, profiles, lambda _part, objects, _oid: begun.append(objects)
    )
    assert done.resumed == begun[0] >= 10
    assert (done.objects, done.replaced) == (whole.objects, whole.replaced)
    assert done.guessed == whole.guessed == ["1.3.6.1.4.1.318.1.1.9.0"]
    assert done.file.read_bytes() == whole.file.read_bytes()


async def test_a_walk_under_way_is_for_its_owner_only(
    device: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    with pytest.raises(ConnectionAbortedError):
        await made(wanted(device.port), tmp_path, profiles, pull_the_plug)
    part = tmp_path / "acme.part"
    assert part.stat().st_mode & 0o077 == 0
    assert NAME not in part.read_text("ascii").splitlines()[1]


@pytest.mark.parametrize(
    ("oid", "tag", "value"),
    [
        ("1.3.6.1.2.1.1.1.0", "4", "Another card"),
        ("1.3.6.1.2.1.1.2.0", "6", "1.3.6.1.4.1.99999"),
        ("1.3.6.1.6.3.10.2.1.1.0", "4x", "8000000001020304"),
    ],
)
async def test_another_device_does_not_go_on_with_a_walk(
    agent: ReplayAgent,
    tmp_path: Path,
    profiles: dict[str, Profile],
    oid: str,
    tag: str,
    value: str,
) -> None:
    with pytest.raises(ConnectionAbortedError):
        await made(wanted(agent.port, "ups"), tmp_path, profiles, pull_the_plug)
    before = (tmp_path / "acme.part").read_bytes()
    agent.recordings["ups"].set(oid, tag, value)  # another one has the address now
    with pytest.raises(OtherDevice) as refused:
        await made(wanted(agent.port, "ups"), tmp_path, profiles)
    assert "Acme UPS card" in str(refused.value)
    assert value in str(refused.value)
    assert (tmp_path / "acme.part").read_bytes() == before
    assert not (tmp_path / "acme.snmprec").exists()


async def test_a_device_that_moved_is_known_by_its_engine_id(
    agent: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    async def goes_on() -> bool:
        with pytest.raises(ConnectionAbortedError):
            await made(wanted(agent.port, "ups"), tmp_path, profiles, pull_the_plug)
        async with await ReplayAgent(agent.recordings).start() as moved:
            try:
                return (await made(wanted(moved.port, "ups"), tmp_path, profiles)).resumed >= 10
            except OtherDevice:
                return False

    assert not await goes_on()
    (tmp_path / "acme.part").unlink()
    agent.recordings["ups"].set("1.3.6.1.6.3.10.2.1.1.0", "4x", "8000000001020304")
    assert await goes_on()


async def test_a_file_of_unknown_origin_is_not_gone_on_with(
    agent: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    (tmp_path / "acme.part").write_text("1.3.6.1.2.1.1.1.0|4|who knows\n", "ascii")
    with pytest.raises(OtherDevice, match="does not say whose"):
        await made(wanted(agent.port, "ups"), tmp_path, profiles)


async def test_a_recording_is_not_written_over(
    agent: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    done = await made(wanted(agent.port, "ups"), tmp_path, profiles)
    done.file.write_text("looked at, and changed by hand", "ascii")
    with pytest.raises(FileExistsError):
        await made(wanted(agent.port, "ups"), tmp_path, profiles)
    assert done.file.read_text("ascii") == "looked at, and changed by hand"


async def test_a_silent_device_leaves_no_recording(
    agent: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    agent.behaviour.dead.add("ups")
    with pytest.raises(CollectError):
        await made(wanted(agent.port, "ups"), tmp_path / "new", profiles)
    assert not (tmp_path / "new").exists()


async def test_a_device_that_goes_in_circles_ends(
    agent: ReplayAgent, tmp_path: Path, profiles: dict[str, Profile]
) -> None:
    agent.behaviour.repeat = True
    done = await made(wanted(agent.port, "ups"), tmp_path, profiles)
    assert "does not come after" in done.note


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        (OCTETS, b"plain | text", "1.3.6|4|plain | text\n"),
        (OCTETS, b"two\nlines", "1.3.6|4x|74776f0a6c696e6573\n"),
        (OCTETS, "é".encode(), "1.3.6|4x|c3a9\n"),
        (OCTETS, b"", "1.3.6|4|\n"),
        (INTEGER, -5, "1.3.6|2|-5\n"),
        (OPAQUE, 1.5, "1.3.6|68x|9f78043fc00000\n"),
    ],
)
def test_lines_are_those_of_snmpsim(tag: int, value: float | bytes, expected: str) -> None:
    assert line("1.3.6", tag, value) == expected
    assert line(*parsed(expected)) == expected
