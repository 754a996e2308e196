"""Runs every benchmark of this folder, one after the other. `make bench` does it."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """Every module and package here that can be run by itself."""
    modules = {file.stem for file in HERE.glob("*.py")} - {"run", "__init__"}
    packages = {file.parent.name for file in HERE.glob("*/__main__.py")}
    return sorted(modules | packages)


def main() -> int:
    """Exit code 1 if one of them failed."""
    failed = []
    for name in sys.argv[1:] or names():
        print(f"\n## {name}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        if subprocess.run(command, cwd=HERE.parent, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())
