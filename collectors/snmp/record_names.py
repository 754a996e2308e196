"""Names in what a device says: of people, companies, places and hosts, and others in their place.

What is a name is learned from contact, sysName and location. Which words name nobody is a short
list, and what profiles know of makers, models and states. Pure.
"""

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from importlib import resources
from itertools import pairwise

_SHORTEST, _SHORTEST_SECRET, _SHORTEST_ANYWHERE, _SHORTEST_PHRASE = 3, 4, 5, 6
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_MAIL = re.compile(r"(?<![\w.+'-])[\w.+'-]+@(?:[\w-]+(?:\.[\w-]+)+|[\w-]{3,})")
_URL_HOST = re.compile(r"(?<=://)(?:[^/@\s:]*(?::[^/@\s]*)?@)?([\w.-]+)")
_PHONE = re.compile(
    r"(?<![\w.+])(?:\+|00)[1-9]\d{0,2}[ ()./-]{0,2}\d(?:[ ()./-]{0,2}\d){5,12}(?!\w)"
)
_HOME = re.compile(r"(?<=/home/|users/|media/)[^/\s]+", re.IGNORECASE)
_IN_PATH = re.compile(r"(?<=/)[^/\s]+")
_DIGITS_OF_PHONE = 7  # without the codes of country and area
_UNAME = re.compile(r"^((?:Linux|FreeBSD|OpenBSD|NetBSD|Darwin|SunOS|AIX) )(?!host )\S+")
_TOKEN = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa"})

Sub = Callable[[re.Match[str]], str]


@cache
def word_list(name: str) -> frozenset[str]:
    """One of the lists in record_words.toml."""
    text = resources.files("collectors.snmp").joinpath("record_words.toml").read_text("utf-8")
    return frozenset(tomllib.loads(text)[name].split())


@cache
def _any_host() -> re.Pattern[str]:
    """A name below a top domain; below one that is also a word it needs three labels."""
    tops, words = ("|".join(sorted(word_list(name))) for name in ("top_domains", "top_words"))
    ways = rf"(?:{_LABEL}\.)+(?:{tops})|(?:{_LABEL}\.){{2,}}(?:{words})"
    return re.compile(rf"(?<![\w@.-])(?:{ways})\.?(?![\w-]|\.\w)", re.IGNORECASE)


class Names:
    """One recording's names: learns them first, then puts the same other one for each."""

    def __init__(self, kept: Iterable[str] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self._makers = {word.casefold() for word in kept}
        self._kept = {*word_list("common"), *self._makers}  # what is no name here
        self._other: dict[str, str] = {}  # casefolded name -> what stands for it
        self._whole: set[str] = set()  # where they are all of a text
        self._phrases: set[str] = set()  # whatever stands around them
        self._domains: set[str] = set()
        self._phones: set[str] = set()  # their last digits
        self._hosts: dict[str, str] = {}
        self._mails: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._own_hosts: re.Pattern[str] | None = None

    def keep(self, text: str, words: bool = True) -> None:
        """A model's or a maker's name, as the device says it, is no name of a person or place."""
        self._kept.add(text.strip("\0 \t\r\n").casefold())
        self._kept.update(word.casefold() for word in _TOKEN.findall(text) if words)

    def learn_secret(self, text: str) -> None:
        """A community, user or key: a short or common one is only taken out as a whole value."""
        text = text.strip()
        if len(text) < _SHORTEST_SECRET or text.casefold() in self._kept:
            self._whole.add(text)
        else:
            self._name(text)
            self._phrases.add(text.casefold())

    def learn(self, text: str, people: bool = True) -> None:
        """Take up the words, domains and numbers of a contact; of a place without `people`."""
        text = text.strip("\0 \t\r\n")
        for mail in _MAIL.findall(text):
            self.learn_domain(mail.partition("@")[2])
        for host in _any_host().findall(text):
            self.learn_domain(host.partition(".")[2])
        tokens = _TOKEN.findall(text)
        for token in tokens:
            self._word(token)
        for one, other in pairwise(tokens if people else []):
            self._logins(one, other)
        for phone in re.findall(r"\d[\d ()./-]{4,}\d", text if people else ""):
            self._phones.add("".join(re.findall(r"\d", phone))[-_DIGITS_OF_PHONE:])
        self._phrase(text)

    def learn_host(self, text: str, told: str = "") -> None:
        """Take up the device's name: in whole, its host part, its domain and its words.

        `told`: sysDescr; what a name shares with it is the model.
        """
        text = text.strip("\0 \t\r\n")
        host, _, domain = text.partition(".")
        if re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", domain.casefold()) and not domain.isdigit():
            self.learn_domain(domain)
        self.learn_label(text)
        self.learn_label(host)
        models = [] if _UNAME.match(told) else _TOKEN.findall(told.casefold())
        for token in _TOKEN.findall(host):
            if token.casefold() not in models:
                self._word(token)

    def learn_label(self, text: str) -> None:
        """Take up what a part or port is called, as a whole."""
        text = text.strip("\0 \t\r\n")
        words = _TOKEN.findall(text.casefold())
        common = all(word in self._kept or word.isdigit() for word in words) and len(words) != 1
        if text.casefold() in self._kept or common or len(text) < _SHORTEST or text.isdigit():
            return
        self._name(text)
        if len(text) >= _SHORTEST_SECRET:
            self._phrases.add(text.casefold())

    def learn_domain(self, domain: str) -> None:
        """Take up a domain: hosts in it, and the name that it is registered under."""
        labels = domain.strip(".").casefold().split(".")
        if not labels[0] or labels[-1].isdigit():
            return
        size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else 2
        registered = labels[-size:]
        if "example" not in registered[:-1]:
            self._domains.add(".".join(registered))
            self._own_hosts = None
        label = registered[0]
        if label not in self._kept and len(label) > _SHORTEST:
            self._name(label)
        for token in _TOKEN.findall(label):
            if len(token) > _SHORTEST:
                self._word(token)

    def hosts(self, text: str, same_length: bool = False) -> str:
        """The text with others for mail addresses, hosts and domains."""
        steps: list[tuple[re.Pattern[str], Sub]] = [
            (_MAIL, self._mail),
            (_URL_HOST, self._url_host),
            (self._hosts_of_domains(), self._host),
            (_any_host(), self._foreign_host),
            (_UNAME, self._uname),
        ]
        return _replaced(steps, text, same_length)

    def names(self, text: str, same_length: bool = False) -> str:
        """The text with others for names."""
        if text in self._whole:
            self.counts["name"] += 1
            return _stand_in(0, len(text))
        steps: list[tuple[re.Pattern[str], Sub]] = [
            (self._names(), self._named),
            (_HOME, self._home),
        ]
        return _replaced(steps, text, same_length)

    def phones(self, text: str) -> str:
        """The text with zeros for phone numbers, which take as many signs."""
        steps = [(_phone_pattern(self._phones), self._phone), (_PHONE, self._phone)]
        return _replaced(steps, text, same_length=False)

    def text(self, text: str, same_length: bool = False) -> str:
        """All of these; in an index the number of octets stays the same."""
        return self.names(self.phones(self.hosts(text, same_length)), same_length)

    def path(self, text: str) -> str:
        """A mount point without the names in it."""
        return _IN_PATH.sub(lambda m: m[0] if m[0] in word_list("system_paths") else "x", text)

    def keeps(self, word: str) -> bool:
        """Whether it is a maker's word."""
        return word.casefold() in self._kept

    # what is a name

    def _word(self, token: str) -> None:
        letters = "".join(_LETTERS.findall(token))
        if token.isdigit():
            if len(token) >= _DIGITS_OF_PHONE:
                self._name(token)
            return
        shortest = _SHORTEST if letters.isascii() else 2
        if letters.casefold() in self._kept or token.casefold() in self._kept:
            return
        if len(letters) >= shortest:
            self._name(letters)
        if token != letters and len(letters) >= 2 and len(token) >= _SHORTEST:
            self._name(token)

    def _logins(self, one: str, other: str) -> None:
        """What accounts of a person are called: jdoe, doej, janed, janedoe."""
        if not all(word.casefold() in self._other for word in (one, other)):
            return
        for a, b in ((one, other), (other, one)):
            for login in (a + b, a[0] + b, a + b[0]):
                if len(login) >= _SHORTEST_SECRET and login.casefold() not in self._kept:
                    self._name(login)

    def _phrase(self, text: str) -> None:
        words = [word.casefold() for word in _TOKEN.findall(text)]
        told = [word for word in words if word not in self._kept]
        if len(text) >= _SHORTEST_PHRASE and told and len(words) > 1:
            self._name(text)
            self._phrases.add(text.casefold())

    def _name(self, name: str) -> None:
        if not name:
            return
        plain = unicodedata.normalize("NFKD", name)
        plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
        for form in (name, plain, name.casefold().translate(_SPELT_OUT)):
            self._other.setdefault(form.casefold(), "")
        self._pattern = None

    def _names(self) -> re.Pattern[str]:
        if self._pattern is None:
            for number, name in enumerate(self._other, 1):
                self._other[name] = _stand_in(number, len(name))
            longest_first = sorted(self._other, key=len, reverse=True)
            ways = "|".join(re.escape(name) for name in longest_first)
            self._pattern = re.compile(ways or r"(?!)", re.IGNORECASE)
        return self._pattern

    def _hosts_of_domains(self) -> re.Pattern[str]:
        if self._own_hosts is None:
            ways = "|".join(re.escape(one) for one in sorted(self._domains, key=len, reverse=True))
            pattern = rf"(?:[\w*-]+\.)*(?<![\w-])(?:{ways})(?![\w-])" if ways else r"(?!)"
            self._own_hosts = re.compile(pattern, re.IGNORECASE)
        return self._own_hosts

    # what stands in its place

    def _named(self, match: re.Match[str]) -> str:
        name, text = match[0], match.string
        folded = name.casefold()
        if name.isdigit() and name == text.strip():
            return name  # a number, and perhaps a reading
        if folded not in self._phrases and name != text and not self._stands_alone(match):
            return name
        self.counts["name"] += 1
        return self._other.get(folded) or _stand_in(0, len(name))

    def _stands_alone(self, match: re.Match[str]) -> bool:
        """Whether it is a word, or a long part of one that is no common word."""
        name, text = match[0], match.string
        kind = _LETTERS if name[0].isalpha() and name[-1].isalpha() else _TOKEN
        start, end = match.span()
        while start > 0 and kind.fullmatch(text[start - 1]):
            start -= 1
        while end < len(text) and kind.fullmatch(text[end]):
            end += 1
        around = text[start:end]
        if around == name or around.casefold() in (f"{name}s".casefold(), f"{name}es".casefold()):
            return True
        if around.casefold() in self._kept or name.isdigit():
            return False
        before, behind = text[start : match.start()], text[match.end() : end]
        camel = (not before or (before[-1].islower() and name[0].isupper())) and (
            not behind or (name[-1].islower() and behind[0].isupper())
        )
        return len(name) >= _SHORTEST_ANYWHERE or camel

    def _mail(self, match: re.Match[str]) -> str:
        if re.search(r"@example\.(com|net|org)$", match[0]):
            return match[0]
        self.counts["mail address"] += 1
        known = self._mails
        return known.setdefault(match[0].casefold(), f"user{len(known) + 1}@example.com")

    def _url_host(self, match: re.Match[str]) -> str:
        host = match[1]
        if re.fullmatch(r"[\d.]+|localhost", host) or not self._is_private(host):
            return host
        return self._other_host(host)

    def _foreign_host(self, match: re.Match[str]) -> str:
        return self._other_host(match[0]) if self._is_private(match[0]) else match[0]

    def _is_private(self, host: str) -> bool:
        if host not in (host.lower(), host.upper()):
            return False  # "Fans.Internal": parts of a thing
        labels = host.casefold().strip(".").split(".")
        return not any(
            label in word_list("public_domains") or label in self._makers for label in labels[-2:-1]
        )

    def _host(self, match: re.Match[str]) -> str:
        return self._other_host(match[0])

    def _other_host(self, host: str) -> str:
        self.counts["host name"] += 1
        known = self._hosts
        return known.setdefault(host.casefold(), f"host{len(known) + 1}.example.net")

    def _phone(self, match: re.Match[str]) -> str:
        other = re.sub(r"\d", "0", match[0])
        self.counts["phone number"] += other != match[0]
        return other

    def _home(self, match: re.Match[str]) -> str:
        self.counts["name"] += match[0] != "user"
        return "user"

    def _uname(self, match: re.Match[str]) -> str:
        self.counts["host name"] += 1
        return f"{match[1]}host"


def _phone_pattern(tails: Iterable[str]) -> re.Pattern[str]:
    """Numbers that end like these, however they are written."""
    ways = "|".join(r"[ ()./-]{0,2}".join(tail) for tail in sorted(tails))
    return re.compile(
        rf"(?<!\d)[+(]?(?:\d[ ()./-]{{0,2}}){{0,8}}(?:{ways})(?!\d)" if ways else r"(?!)"
    )


def _stand_in(number: int, length: int) -> str:
    """As long as the name that it stands for: xxxx7."""
    return str(number).rjust(length, "x")[-length:]


def _replaced(steps: Iterable[tuple[re.Pattern[str], Sub]], text: str, same_length: bool) -> str:
    for pattern, sub in steps:
        text = pattern.sub(_fitting(sub) if same_length else sub, text)
    return text


def _fitting(sub: Sub) -> Sub:
    """The same, with as many octets as there were."""

    def fitted(match: re.Match[str]) -> str:
        other = sub(match)
        size = len(match[0].encode("utf-8"))
        return other if len(other.encode("utf-8")) == size else other[:size].rjust(size, "x")

    return fitted
