"""Passwords, keys and users that a text calls so, and what stands in their place. Pure."""

import re
from collections.abc import Callable, Iterator

_SURE = r"pass(?:words?|wd|phrase|code|wort)|pwd|kennwort|secret|psk"
_LIKELY = (
    r"(?:auth|priv|private|api|access|shared|encryption|license)?key|pass|pw|token|bearer"
    r"|community(?:[ _-]?string)?|(?:user|benutzer)(?:[ _-]?(?:name|id))?|login|ssh-[\w.@-]+|ecdsa-[\w.@-]+"
)
_SAID = re.compile(
    rf"(?i)(?<![a-z0-9])(?:(?P<sure>{_SURE})|{_LIKELY})[\"')\]]?"
    r"(?:(?::|\s{0,2}=>?)\s{0,2}|\s{1,2}(?::\s{1,2})?(?=\S*\d)(?=\S{6})(?!\w+[:=][^\s=]))"
    r"(?:(?P<quote>[\"'])(?P<quoted>[^\"']{3,})(?P=quote)"
    r"|(?P<bare>(?:(?![;,&)]+(?:\s|$)|[;,&][\w-]+[:=])[^\s\"'<>]){3,}))"
)
_PEM = re.compile(r"(?s)(-----BEGIN [^-]+-----).+?(?=-----END|\Z)")
_STANDS_IN = re.compile(r"x+\d+")
_WORD = re.compile(r"[^\W\d_][^\W_]*")

Keeps = Callable[[str], bool]  # whether a word names nobody


def secrets(text: str, keeps: Keeps) -> Iterator[str]:
    """What a text calls a password, a key or a user."""
    for match in _SAID.finditer(text):
        if _is_secret(match, keeps):
            yield match["quoted"] or match["bare"]


def without_secrets(text: str, keeps: Keeps) -> str:
    """The text with signs in the place of what it calls so, and of whole keys."""

    def said(match: re.Match[str]) -> str:
        if not _is_secret(match, keeps):
            return match[0]
        start, end = (
            at - match.start() for at in match.span("quoted" if match["quoted"] else "bare")
        )
        return f"{match[0][:start]}{'0'.rjust(end - start, 'x')}{match[0][end:]}"

    return _SAID.sub(said, _PEM.sub(r"\1x", text))


def _is_secret(match: re.Match[str], keeps: Keeps) -> bool:
    """Behind "user" and the like a common word is a state or the name of a setting."""
    value = match["quoted"] or match["bare"]
    if _STANDS_IN.fullmatch(value):
        return False
    return bool(match["sure"]) or not all(keeps(word) for word in _WORD.findall(value))
