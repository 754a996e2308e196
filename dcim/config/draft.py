"""From TOML tables to checked models, piece by piece, so that one fault hides no other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dcim.config.faults import Report, did_you_mean, shown
from dcim.config.tables import (
    REPAIR,
    AgentTable,
    CredentialsTable,
    DeviceTable,
    EquipmentTable,
    FeedTable,
    HallTable,
    LoopTable,
    MeteringTable,
    MetricTable,
    RackTable,
    RowTable,
    RulesTable,
    ServeTable,
    SiteTable,
    Table,
    UserTable,
    WebhookTable,
)
from dcim.config.toml_lines import Path

M = TypeVar("M", bound=Table)

OBJECTS = {  # sections whose tables have an id of the one namespace, and what each is
    "halls": "hall",
    "rows": "row",
    "racks": "rack",
    "loops": "loop",
    "devices": "device",
    "equipment": "piece of equipment",
}


@dataclass(frozen=True, slots=True)
class Known:
    """An object id, where it was declared first and as what."""

    section: str
    path: Path

    @property
    def what(self) -> str:
        return OBJECTS.get(self.section, self.section)


@dataclass(slots=True)
class Draft:
    """What of a file is sound in itself; lists by their index in the file."""

    agent: AgentTable = field(default_factory=AgentTable)
    site: SiteTable | None = None
    rules: RulesTable = field(default_factory=RulesTable)
    users: dict[int, UserTable] = field(default_factory=dict)
    credentials: dict[str, CredentialsTable] = field(default_factory=dict)
    halls: dict[int, HallTable] = field(default_factory=dict)
    rows: dict[int, RowTable] = field(default_factory=dict)
    racks: dict[int, RackTable] = field(default_factory=dict)
    loops: dict[int, LoopTable] = field(default_factory=dict)
    devices: dict[int, DeviceTable] = field(default_factory=dict)
    equipment: dict[int, EquipmentTable] = field(default_factory=dict)
    feeds: dict[int, FeedTable] = field(default_factory=dict)
    serves: dict[int, ServeTable] = field(default_factory=dict)
    metering: dict[int, MeteringTable] = field(default_factory=dict)
    webhooks: dict[int, WebhookTable] = field(default_factory=dict)
    metrics: dict[str, MetricTable] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)  # also of tables with faults
    credential_names: frozenset[str] = frozenset()  # also of tables with faults


def read_draft(tables: Mapping[str, Any], report: Report) -> Draft:
    """Every section by its model; each fault is reported, the sound rest is kept."""
    reader = _Reader(tables, report)
    draft = Draft(
        agent=reader.one("agent", AgentTable) or AgentTable(),
        site=reader.one("site", SiteTable),
        rules=reader.one("rules", RulesTable) or RulesTable(),
        users=reader.many("users", UserTable),
        credentials=reader.named("credentials", CredentialsTable),
        halls=reader.many("halls", HallTable),
        rows=reader.many("rows", RowTable),
        racks=reader.many("racks", RackTable),
        loops=reader.many("loops", LoopTable),
        devices=reader.many("devices", DeviceTable),
        equipment=reader.many("equipment", EquipmentTable),
        feeds=reader.many("feeds", FeedTable),
        serves=reader.many("serves", ServeTable),
        metering=reader.many("metering", MeteringTable),
        webhooks=reader.many("webhooks", WebhookTable),
        metrics=reader.named("metrics", MetricTable),
        known=_known(tables, report),
        credential_names=frozenset(_mapping(tables.get("credentials"))),
    )
    if "site" not in tables:
        report.add(("site",), "no [site]", "a table [site] with the id of the site")
    reader.unknown_sections()
    return draft


class _Reader:
    """Takes sections out of the file's tables."""

    def __init__(self, tables: Mapping[str, Any], report: Report) -> None:
        self._tables = tables
        self._report = report
        self._sections: list[str] = []

    def one(self, name: str, model: type[M]) -> M | None:
        """`[name]`"""
        self._sections.append(name)
        return self._item((name,), self._tables[name], model) if name in self._tables else None

    def many(self, name: str, model: type[M]) -> dict[int, M]:
        """`[[name]]`"""
        self._sections.append(name)
        items = self._tables.get(name, [])
        if not isinstance(items, list):
            self._report.add((name,), shown((name,), items), f"tables headed [[{name}]]")
            return {}
        read = {n: self._item((name, n), item, model) for n, item in enumerate(items)}
        return {n: item for n, item in read.items() if item is not None}

    def named(self, name: str, model: type[M]) -> dict[str, M]:
        """`[name.KEY]`"""
        self._sections.append(name)
        items = self._tables.get(name, {})
        if not isinstance(items, dict):
            self._report.add((name,), shown((name,), items), f"tables headed [{name}.NAME]")
            return {}
        read = {key: self._item((name, key), item, model) for key, item in items.items()}
        return {key: item for key, item in read.items() if item is not None}

    def unknown_sections(self) -> None:
        for name in self._tables.keys() - set(self._sections):
            near = did_you_mean(name, self._sections)
            expected = f"a known one{near}" if near else f"one of {', '.join(self._sections)}"
            self._report.add((name,), f"unknown section {name!r}", expected)

    def _item(self, path: Path, item: object, model: type[M]) -> M | None:
        if not isinstance(item, dict):
            self._report.add(path, shown(path, item), "a table")
            return None
        try:
            return model.model_validate(item)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                self._report.invalid(path, one, _fields(model, one["loc"]))
            return _repaired(item, model)


def _repaired(item: Mapping[str, Any], model: type[M]) -> M | None:
    """A faulty table without what is at fault, so that the rest of it is checked as well."""
    fields = {one.alias or name: name for name, one in model.model_fields.items()}
    rest = {key: model.placeholder(name) for key, name in fields.items()}
    rest |= {key: value for key, value in item.items() if key in fields}
    try:
        return model.model_validate(rest, context=REPAIR)
    except ValidationError:  # two keys that contradict each other
        return None


def _fields(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """The keys that are known where an error is: of the table, or of a table inside it."""
    for part in list(location)[:-1]:
        inner = _model_of(model, part)
        if inner is not None:
            model = inner
    return [one.alias or name for name, one in model.model_fields.items()]


def _model_of(model: type[BaseModel], part: str | int) -> type[BaseModel] | None:
    one = model.model_fields.get(str(part))
    if one is None:
        return None
    kinds = [one.annotation, *getattr(one.annotation, "__args__", ())]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def _known(tables: Mapping[str, Any], report: Report) -> dict[str, Known]:
    """Every object id of the file; a second use of one is a fault."""
    known: dict[str, Known] = {}
    places: list[tuple[str, Path, object]] = [
        ("site", ("site",), tables.get("site")),
        *(
            (section, (section, n), item)
            for section in OBJECTS
            for n, item in enumerate(_list(tables.get(section)))
        ),
    ]
    for section, path, item in sorted(places, key=lambda place: report.line(place[1])):
        object_id = _mapping(item).get("id")
        if not isinstance(object_id, str):
            continue
        here = Known(section, (*path, "id"))
        first = known.setdefault(object_id, here)
        if first is not here:
            used = f"{first.what} of line {report.line(first.path)} has it"
            report.add(here.path, repr(object_id), f"an id of its own (the {used})")
    return known


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
