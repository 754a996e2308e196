"""Every key of the console, in one table: what is bound, shown at the foot and printed as help."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where a key works."""

    ANY = "any"
    OVERVIEW = "overview"
    ALARMS = "alarms"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Key:
    """One action and the keys that start it, named as Textual names them, or by their character."""

    keys: tuple[str, ...]
    action: str  # method `do_...` of the console
    meaning: str
    place: Place = Place.ANY
    hint: str = ""  # at the foot, where there is room


KEYS = (
    Key(("1",), "overview", "overview", hint="1 Overview"),
    Key(("5",), "alarms", "alarms", hint="5 Alarms"),
    Key(("a",), "acknowledge", "acknowledge", Place.ALARMS, "a ack"),
    Key(("s",), "shelve", "shelve, unshelve", Place.ALARMS, "s shelve"),
    Key(("r",), "reset", "reset once latched", Place.ALARMS, "r reset"),
    Key(("enter",), "enter", "alarms; there: unfold"),
    Key(("escape",), "back", "up: no filter, overview"),
    Key(("j", "down"), "down", "next line", Place.ALARMS),
    Key(("k", "up"), "up", "line before", Place.ALARMS),
    Key(("ctrl+d", "pagedown"), "page_down", "half a page down", Place.ALARMS),
    Key(("ctrl+u", "pageup"), "page_up", "half a page up", Place.ALARMS),
    Key(("g", "home"), "first", "first line", Place.ALARMS),
    Key(("G", "end"), "last", "last line", Place.ALARMS),
    Key(("/",), "filter", "filter: text, or !text", Place.ALARMS, "/ filter"),
    Key((":",), "command", "command", hint=": cmd"),
    Key(("p",), "pause", "hold the picture, 5 min", hint="p pause"),
    Key(("z",), "zone", "times: UTC or local", hint="z UTC/local"),
    Key(("m",), "mute", "no bell for 10 min", hint="m mute"),
    Key(("?",), "help", "this help", hint="? help"),
    Key(("ctrl+c",), "interrupt", "twice: quit"),
)

COMMANDS = {
    "overview": "overview",
    "1": "overview",
    "alarms": "alarms",
    "5": "alarms",
    "help": "help",
    "q": "quit",
    "quit": "quit",
}


def action_for(key: str, character: str | None, place: Place) -> str | None:
    """The action of a key press; full-width forms of an input method count as the plain ones."""
    names = {key}
    if character and character.isprintable():
        names.add(unicodedata.normalize("NFKC", character))
    for entry in KEYS:
        if entry.place in (Place.ANY, place) and not names.isdisjoint(entry.keys):
            return entry.action
    return None


def hints(place: Place) -> list[str]:
    """What the foot says, most wanted first."""
    shown = [entry for entry in KEYS if entry.hint and entry.place in (Place.ANY, place)]
    return [entry.hint for entry in sorted(shown, key=lambda entry: entry.action != "help")]


def help_lines(place: Place) -> list[tuple[str, str]]:
    """Keys and meaning of one place, for the help screen."""
    lines = [(" ".join(entry.keys), entry.meaning) for entry in KEYS if entry.place is place]
    return [*lines, (":q", "quit")] if place is Place.ANY else lines
