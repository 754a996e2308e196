"""`python -m dcim` is `dcim`."""

from dcim.cli import main

main()
