"""The command line: argument parsing and printing only."""

from dcim.cli.commands import main

__all__ = ["main"]
