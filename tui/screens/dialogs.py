"""Dialogs: nothing changes an alarm but by way of one of these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from dcim.model.wire import AlarmOut
from tui.answer import COMMENT, Verb, comment_fault, duration_s, tidy
from tui.view import alarmlist
from tui.view.text import clean


@dataclass(frozen=True, slots=True)
class Field:
    """One line to fill in. `fault` says what is wrong with a text, or nothing."""

    label: str
    fault: Callable[[str], str]
    value: str = ""


T = TypeVar("T")


def leave(screen: ModalScreen[T], result: T) -> None:
    """Close a dialog once; a key that comes while it closes finds it gone."""
    if screen.is_current:
        screen.dismiss(result)


class Dialog(ModalScreen[list[str] | None]):
    """Facts, fields, and what the keys do. Gives the texts, or None when left by Esc."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical { width: 78; height: auto; border: ascii #909090; padding: 0 1; }
    Dialog Static, Dialog Input { height: 1; border: none; padding: 0; }
    Dialog Input:focus { border: none; }
    Dialog #fault { text-style: bold; }
    """

    def __init__(
        self, title: str, facts: Sequence[str], fields: Sequence[Field], verb: str
    ) -> None:
        super().__init__()
        self._title = title
        self._facts = facts
        self._fields = fields
        self._verb = verb

    def compose(self) -> ComposeResult:
        box = Vertical()
        box.border_title = Text(self._title)
        with box:
            for fact in self._facts:
                yield Static(Text(fact, no_wrap=True, overflow="ellipsis"))
            for field in self._fields:
                yield Static(Text(field.label))
                yield Input(field.value, compact=True, max_length=200, select_on_focus=False)
            yield Static("", id="fault")
            yield Static(Text(f"[Enter] {self._verb}    [Esc] cancel"))

    def on_mount(self) -> None:
        self.query(Input).first().focus()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("escape", "ctrl+c"):
            event.stop()
            leave(self, None)
        elif event.key in ("tab", "down"):
            event.stop()
            self.focus_next(Input)
        elif event.key in ("shift+tab", "up"):
            event.stop()
            self.focus_previous(Input)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        inputs = list(self.query(Input))
        for field, box in zip(self._fields, inputs, strict=True):
            if fault := field.fault(box.value):
                self.query_one("#fault", Static).update(Text(fault))
                box.focus()
                return
        leave(self, [box.value for box in inputs])


class Prompt(ModalScreen[str | None]):
    """One line at the foot: a filter or a command."""

    DEFAULT_CSS = """
    Prompt { align: left bottom; background: transparent; }
    Prompt Input { height: 1; border: none; padding: 0; width: 100%; }
    """

    def __init__(self, sign: str, value: str = "") -> None:
        super().__init__()
        self._sign = sign
        self._value = value

    def compose(self) -> ComposeResult:
        yield Input(
            f"{self._sign}{self._value}", compact=True, max_length=80, select_on_focus=False
        )

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("escape", "ctrl+c"):
            event.stop()
            leave(self, None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        leave(self, event.value.removeprefix(self._sign).strip())


def answer_dialog(verb: Verb, alarm: AlarmOut, user: str) -> Dialog:
    """What is asked before an alarm is answered."""
    sign = alarmlist.MARKS[min(4, max(1, alarm.priority))]
    facts = [
        f"{sign} {clean(alarm.address)} {clean(alarm.title)} {alarmlist.against(alarm)}",
        f"occurrence {alarm.occurrence}, raised {clean(alarm.raised_at)}",
        f"you: {clean(user)}",
    ]
    shortest, longest = COMMENT
    needed = verb is Verb.SHELVE or (verb is Verb.ACKNOWLEDGE and alarm.priority <= 2)
    label = "reason" if verb is Verb.SHELVE else "comment"
    hint = f"{shortest}..{longest} characters" if needed else "may be empty"
    fields = [Field(f"{label} ({hint}):", lambda text: comment_fault(tidy(text), needed))]
    if verb is Verb.SHELVE:
        fields.insert(0, Field("for how long (30m, 2h; at most 8h):", _duration_fault, "1h"))
    if verb is Verb.ACKNOWLEDGE:
        facts.append("Acknowledging does not clear the alarm; it stays until it is over.")
    return Dialog(f" {verb} ", facts, fields, str(verb))


def _duration_fault(text: str) -> str:
    return "" if duration_s(text) else "such as 30m or 2h, at most 8h"
