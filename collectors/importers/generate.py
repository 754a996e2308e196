"""Makes the profiles that rest on published maps: `python -m collectors.importers.generate MAPS`.

MAPS is the folder of the maps (../shared/reference/modbus). What the maps do not tell is answered
in `published/*.toml`; the SunSpec models become one profile.
"""

import json
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from collectors.importers import sunspec
from collectors.importers.load import complete, read, read_answers
from collectors.importers.row import Row
from collectors.importers.write import items, text_of

MODELS = (
    *(101, 102, 103, 111, 112, 113, 201, 202, 203, 204, 211, 212, 213, 214),
    *(701, 713, 714, 802, 803, 804, 805),
)
_MADE = "# Made by collectors/importers/generate.py; change that, or its answers.\n"
_PREFIX = {802: "battery", 713: "battery", 803: "battery", 804: "battery/string/{n}"}
_PREFIX |= {805: "battery/module/{n}", 714: "", 701: "output"}
_PARTS = {803: "string/{index}", 804: "module/{index}", 805: "cell/{index}", 714: "dc/port/{index}"}
_HEAD = """\
name = "sunspec"
protocol = "modbus"
kind = "meter"
vendor = "SunSpec"
model = "any device of the models below"
evidence = "document"
sources = ["sunspec/models@7abdf898 json/model_*.json (facts)"]
note = "Found by its marker at 40000, 50000 or 0; the device says which models it has, and where."
"""


def texts(maps: Path) -> Iterator[tuple[str, str]]:
    """(file name, text) of every profile made of maps."""
    published = Path(str(resources.files("collectors.importers").joinpath("published")))
    for file in sorted(published.glob("*.toml")):
        answers = read_answers(file)
        draft = read(maps / answers.map)
        complete(draft, answers)
        draft.settle()
        yield f"{draft.name}.toml", _MADE + text_of(draft)
    yield "sunspec.toml", _MADE + _sunspec(maps / "sunspec")


def _sunspec(folder: Path) -> str:
    lines = [_HEAD]
    for number in MODELS:
        data = json.loads((folder / f"model_{number}.json").read_text("utf-8"))
        lines += [*_model(number, data["group"]), ""]
    return "\n".join(lines)


def _model(number: int, group: dict[str, object]) -> Iterator[str]:
    points = group["points"]
    assert isinstance(points, list)
    offsets = dict(sunspec.offsets_of(points))
    prefix = _PREFIX.get(number, "output" if number < 200 else "")
    yield "[[models]]"
    yield f"id = {number}"
    yield f'kind = "{sunspec.kind_of(number)}"'
    yield from items("point", _placed(sunspec.rows_of(points, 0, offsets), prefix))
    parts = group.get("groups")
    if isinstance(parts, list) and number in _PARTS:
        start = sum(point["size"] for point in points)
        rows = sunspec.rows_of(parts[0]["points"], start, offsets, _PARTS[number])
        size = sum(point["size"] for point in parts[0]["points"])
        yield f"part = {{ at = {start}, size = {size} }}"
        yield from items("part_point", _placed(rows, prefix))


def _placed(rows: Iterator[Row], prefix: str) -> list[Row]:
    kept = [row for row in rows if row.metric]
    for row in kept:
        base = prefix
        if row.component.startswith("dc") and prefix == "output":
            base = ""  # an inverter's other side
        row.component = "/".join(filter(None, (base, row.component)))
    return kept


def main() -> None:
    """Write all of them into collectors/profiles."""
    profiles = Path(str(resources.files("collectors").joinpath("profiles")))
    for name, text in texts(Path(sys.argv[1])):
        (profiles / name).write_text(text, "utf-8")
        print(profiles / name)


if __name__ == "__main__":
    main()
