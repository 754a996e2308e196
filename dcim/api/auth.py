"""Who asks: bearer tokens, kept as scrypt hashes; a verified token is not hashed twice."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence

from dcim.config import User

ROLES = ("viewer", "operator", "supervisor")  # each may what those before it may

_PREFIX = "dcim_"
_MAX_TOKEN = 200
_N, _R, _P = 2**14, 8, 1  # 16 MiB and some 30 ms
_MAX_MEMORY = 2**26
_CACHE = 256
_WAITING = 16


class Busy(Exception):
    """Too many unknown tokens at once."""


def new_token() -> str:
    """A random token of 256 bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str, n: int = _N) -> str:
    """`scrypt$N$r$p$SALT$HASH`, salt and hash in base64."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(token.encode(), salt=salt, n=n, r=_R, p=_P, maxmem=_MAX_MEMORY)
    return "$".join(("scrypt", str(n), str(_R), str(_P), _b64(salt), _b64(digest)))


def verify_token(token: str, token_hash: str) -> bool:
    """Whether the hash is of this token, in constant time; ValueError for what is no hash."""
    scheme, n, r, p, salt, expected = token_hash.split("$")
    if scheme != "scrypt":
        raise ValueError(f"unknown hash {scheme!r}")
    wanted = base64.b64decode(expected)
    digest = hashlib.scrypt(
        token.encode(),
        salt=base64.b64decode(salt),
        n=int(n),
        r=int(r),
        p=int(p),
        maxmem=_MAX_MEMORY,
        dklen=len(wanted),
    )
    return hmac.compare_digest(digest, wanted)


class Authority:
    """Finds the user of a token."""

    def __init__(self) -> None:
        self._users: Sequence[User] = ()
        self._seen: OrderedDict[bytes, User | None] = OrderedDict()  # by digest; None: nobody's
        self._one = asyncio.Lock()
        self._waiting = 0

    async def user(self, token: str, users: Sequence[User]) -> User | None:
        """Whose token it is; None where nobody's. Raises Busy under a flood of unknown tokens."""
        if not token.startswith(_PREFIX) or len(token) > _MAX_TOKEN:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        self._users_are(users)
        if digest in self._seen:
            self._seen.move_to_end(digest)
            return self._seen[digest]
        if self._waiting >= _WAITING:
            raise Busy("too many unknown tokens at once")
        self._waiting += 1
        try:
            async with self._one:
                found = await asyncio.to_thread(_find, token, users)
        finally:
            self._waiting -= 1
        if self._users is users:
            self._remember(digest, found)
        return found

    def _users_are(self, users: Sequence[User]) -> None:
        if self._users is not users:
            self._users = users
            self._seen.clear()

    def _remember(self, digest: bytes, user: User | None) -> None:
        self._seen[digest] = user
        if len(self._seen) > _CACHE:
            self._seen.popitem(last=False)


def allows(role: str, needed: str) -> bool:
    return ROLES.index(role) >= ROLES.index(needed)


def _find(token: str, users: Sequence[User]) -> User | None:
    """Every hash is tried, so that the time tells nothing."""
    found = [user for user in users if verify_token(token, user.token_hash)]
    return found[0] if found else None


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
