"""Agents, profiles and a sink for the SNMP tests."""

import asyncio
from collections.abc import AsyncIterator
from importlib import resources

import pytest

from collectors.profile import Profile, load_profiles
from collectors.snmp.profile import SnmpProfile
from collectors.snmp.transport import Transport
from fixtures.peers.replay import Recording, ReplayAgent
from tests.collectors.snmp.peers import UPS, Sink


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture(scope="session")
def profiles() -> dict[str, Profile]:
    folder = resources.files("collectors").joinpath("profiles")
    names = ("ups_mib", "apc_rpdu2", "entity_sensor")
    return load_profiles([folder.joinpath(f"{n}.toml") for n in names], {"snmp": SnmpProfile})


@pytest.fixture
async def agent() -> AsyncIterator[ReplayAgent]:
    """Answers for the recording `ups`."""
    async with await ReplayAgent({"ups": Recording.parse(UPS.splitlines())}).start() as agent:
        yield agent


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(asyncio.get_running_loop())
    yield transport
    transport.close()
