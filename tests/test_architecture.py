"""What no linter sees: who owns our top-level names, and what starting the agent imports."""

import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

OURS = ["collectors", "dcim", "fixtures", "rules", "tui"]


@pytest.mark.parametrize("name", OURS)
def test_no_other_distribution_owns_a_package_of_ours(name: str):
    """PyPI has distributions that install `fixtures` and `rules`; pip overwrites without a word."""
    assert set(packages_distributions().get(name, [])) <= {"dcim-suite"}


def test_the_agent_imports_neither_console_nor_simulator():
    code = "import sys, dcim.app; print([m for m in ('textual', 'fixtures', 'tui') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
