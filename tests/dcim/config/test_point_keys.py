"""Which overrides a profile can know to be of no point of its own."""

import re

import pytest

from collectors.catalog import load_catalog
from collectors.profile import Profile
from dcim.config.point_keys import may_be, point_keys


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    return load_catalog()


@pytest.mark.parametrize(
    ("profile", "key", "known"),
    [
        ("apc_rpdu2", "input/L1/current", True),
        ("apc_rpdu2", "unit/2/input/L3/current", True),
        ("apc_rpdu2", "input/L9/current", False),
        ("apc_rpdu2", "input/L1/frequency", False),
        ("apc_rpdu2", "power.active", True),
        ("apc_rpdu2", "unit/2/power.active", True),
        ("apc_rpdu2", "outlet/12/energy.active", True),
        ("ups_mib", "output/L1/voltage", True),
        ("ups_mib", "output/L7/voltage", False),
        ("ups_mib", "battery/charge", True),
        ("cdu_generic", "loop/secondary/flow", True),
        ("cdu_generic", "pump/1/speed", True),
        ("cdu_generic", "pump/9/speed", False),
    ],
)
def test_points_of_a_profile(profiles, profile: str, key: str, known: bool):
    assert any(may_be(one, key) for one in point_keys(profiles[profile])) is known


def test_every_profile_knows_its_own_points(profiles):
    for profile in profiles.values():
        for template in point_keys(profile):
            key = re.sub(r"\{[^{}]*\}", "2", template)
            assert may_be(template, key), (profile.name, template)
