"""Coordinates of a site in what a device says, and zeros in their place. Pure."""

import re

_FINE = r"[-+]?\d{1,3}[.,]\d{4,}"  # of a degree: some ten metres, and no reading
_DEG, _MIN, _SEC = r"\s?(?:°|º|deg\b)\s?", r"\s?['\u2032]\s?", r"\s?(?:[\"\u2033]|'')"
_SIXTIETHS = r"\d{1,2}(?:[.,]\d+)?"
# 51.2764, 51°16'35.0", 51 16.584, 51:16:35
_ANY = (
    rf"\d{{1,3}}(?:[.,]\d{{2,}}(?:{_DEG})?"
    rf"|(?:{_DEG}|[\s:-]){_SIXTIETHS}(?:(?:{_MIN}|[\s:-]){_SIXTIETHS})?(?:{_MIN}|{_SEC})?)"
)
_LABEL = r"(?<![a-z])(?:(?:lat|lon|lng|long)(?:itude)?|breite(?:ngrad)?|länge(?:ngrad)?)"
_NEXT = r"[\s,;/|]{0,3}"
_PLACES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![a-z])[NS]\s?{_ANY}{_NEXT}[EWO]\s?{_ANY}(?!\d)",
        rf"(?<![\d.,]){_ANY}\s?[NS]{_NEXT}{_ANY}\s?[EWO](?![a-z])",
        rf"(?<![\d.,]){_FINE}(?:{_DEG})?(?:[\s,;/|]{{1,3}}|(?=[-+])){_FINE}(?!\d)",
        rf"{_LABEL}[\"']?[\s:=(]{{1,4}}[\"']?(?:[NSEWO]\s?|[-+])?{_ANY}",
        rf"(?<![\d.,])\d{{1,3}}{_DEG}{_SIXTIETHS}{_MIN}(?:{_SIXTIETHS}{_SEC})?",
    )
]
_NUMBER = re.compile(r"(?<![\d.,])[-+]?\d{1,3}[.,]\d{3,}(?!\d|[.,]\d)")
_DEGREES = re.compile(r"\d+(?:[.,]\d+)?")
_NEAR_DEG = 0.001


class Places:
    """One recording's coordinates: learns them first, then takes them out."""

    def __init__(self) -> None:
        self.replaced = 0
        self._known: set[float] = set()  # degrees

    def learn(self, text: str, is_place: bool = False) -> None:
        """Take up the coordinates in a text; `is_place`: every exact number in it is one."""
        if is_place:
            self._known.update(_degrees(number) for number in _NUMBER.findall(text))
        for pattern in _PLACES:
            for match in pattern.finditer(text):
                self._known.update(_parts(match[0]))
        self._known.discard(0.0)

    def text(self, text: str) -> str:
        """The text with zeros for coordinates, and for numbers that are those of the site."""
        other = text
        for pattern in _PLACES:
            other = pattern.sub(lambda match: re.sub(r"\d", "0", match[0]), other)
        other = _NUMBER.sub(self._number, other)
        self.replaced += other != text
        return other

    def _number(self, match: re.Match[str]) -> str:
        degrees = _degrees(match[0])
        if all(abs(degrees - known) >= _NEAR_DEG for known in self._known):
            return match[0]
        return re.sub(r"\d", "0", match[0])


def _degrees(number: str) -> float:
    return abs(float(number.replace(",", ".")))


def _parts(text: str) -> list[float]:
    """The degrees of one coordinate or of a pair, with minutes and seconds or without."""
    numbers = _DEGREES.findall(text)
    if all("." in number or "," in number for number in numbers):
        return [_degrees(number) for number in numbers]
    half = len(numbers) // 2 if len(numbers) > 3 else len(numbers)
    parts = [numbers[:half], numbers[half:]]
    return [
        sum(_degrees(number) / 60**at for at, number in enumerate(part)) for part in parts if part
    ]
