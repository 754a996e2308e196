"""What recording, probing and replaying say on the command line, the ways they end early included."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fixtures.peers.replay import Recording, ReplayAgent

DEADLINE_S = 30.0
DCIM = str(Path(sys.executable).with_name("dcim"))
DEVICE = [
    b"1.3.6.1.2.1.1.1.0|4|Nobody's card",
    b"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1",
    b"1.3.6.1.2.1.1.3.0|67|4711",
    *(b"1.3.6.1.4.1.99999.2.%d.0|2|%d" % (n, n) for n in range(1, 60)),
]


@pytest.fixture
async def agent() -> AsyncIterator[ReplayAgent]:
    async with await ReplayAgent({"one": Recording.parse(DEVICE)}).start() as agent:
        yield agent


async def start(*args: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *args, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )


async def end(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """(exit code, standard output, standard error)."""
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_recording_says_how_it_goes_on(agent, tmp_path, number):
    command = (DCIM, "record", f"snmp://one@127.0.0.1:{agent.port}", "-o", str(tmp_path))
    part = tmp_path / "1.3.6.1.4.1.99999.1.part"
    process = await start(*command, "--rate", "0.5")
    await until(lambda: part.exists() and part.read_text().count("|2|") > 0)
    process.send_signal(number)
    code, _, said = await end(process)
    assert code == 1
    assert f"objects are in {part}, the same command goes on" in said.replace("\n", " ")
    code, out, _ = await end(await start(*command, "--rate", "1000"))
    assert code == 0
    assert f"{len(DEVICE)} objects, " in out
    assert "from before" in out


async def test_an_early_end_says_that_nothing_was_recorded(agent, tmp_path):
    agent.behaviour.dead.add("one")
    process = await start(
        *(DCIM, "record", f"snmp://one@127.0.0.1:{agent.port}", "-o", str(tmp_path))
    )
    await until(lambda: agent.requests > 0)
    process.send_signal(signal.SIGINT)
    code, _, said = await end(process)
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert "nothing was recorded" in said


async def test_another_device_is_refused_by_name(agent, tmp_path):
    (tmp_path / "two.part").write_text("1.3.6.1.2.1.1.1.0|4|of before\n")
    url = f"snmp://one@127.0.0.1:{agent.port}"
    process = await start(DCIM, "record", url, "-o", str(tmp_path), "--name", "two")
    code, _, said = await end(process)
    assert code == 1
    assert "two.part does not say whose it is" in said


async def test_a_device_without_a_profile_has_answered(agent):
    process = await start(DCIM, "probe", f"snmp://one@127.0.0.1:{agent.port}")
    code, out, said = await end(process)
    assert code == 1
    assert "ANSWERS, BUT NO PROFILE FITS" in out
    assert "docs/add-an-snmp-device.md" in out
    assert said == "dcim: 1 of 1 answered, but no profile fits\n"


async def test_an_empty_recording_is_named(tmp_path):
    empty = tmp_path / "empty.snmprec"
    empty.touch()
    code, _, said = await end(await start(DCIM, "probe", str(empty)))
    assert (code, said) == (2, f"dcim: no recorded objects in {empty}\n")


REPLAY = (sys.executable, "-m", "fixtures.peers.replay")


@pytest.mark.parametrize("whole_folder", [True, False])
async def test_a_recording_is_served_by_its_name(tmp_path, whole_folder):
    file = tmp_path / "acme.snmprec"
    file.write_bytes(b"\n".join(DEVICE))
    process = await start(*REPLAY, str(tmp_path if whole_folder else file), "0")
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            url = (await process.stdout.readline()).decode().strip()
        assert url.startswith("snmp://acme@127.0.0.1:")
        _, out, _ = await end(await start(DCIM, "probe", url))
        assert "Nobody's card" in out
    finally:
        process.terminate()
        await end(process)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "usage: "),
        (("somewhere",), "port"),
        (("no-such-file", "0"), "No such file"),
        (("tests/dcim/cli", "0"), "no recorded objects"),
    ],
)
async def test_a_wrong_call_of_the_replay_agent_is_told(args, said):
    code, _, err = await end(await start(*REPLAY, *args))
    assert code == 2
    assert said in err
    assert "Traceback" not in err
