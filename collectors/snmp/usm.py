"""SNMPv3's user-based security: keys from passwords, digests, ciphers. Pure.

Source: RFC 3414 (MD5, SHA, DES; keys A.2), RFC 3826 (AES-128), RFC 7860 (SHA-2);
draft-blumenthal-aes-usm-04 section 3.1.2.1 and draft-reeder-snmpv3-usm-3desede-00 section 2.1:
the two ways in use to make keys long enough for AES-192 and AES-256.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

_EXPANDED = 1 << 20  # bytes of repeated password that are hashed


@dataclass(frozen=True, slots=True)
class Auth:
    """A hash, and how many of its octets travel."""

    name: str
    hash: str
    size: int

    def digest(self, data: bytes) -> bytes:
        return hashlib.new(self.hash, data, usedforsecurity=False).digest()

    def sign(self, key: bytes, message: bytes) -> bytes:
        """The authentication parameters of a message whose own are zeros."""
        return hmac.digest(key, message, self.hash)[: self.size]

    def master(self, password: bytes) -> bytes:
        """The key of a password, before it is made fit for one engine. Takes milliseconds."""
        times, rest = divmod(_EXPANDED, len(password))
        return self.digest(password * times + password[:rest])

    def localised(self, master: bytes, engine_id: bytes) -> bytes:
        return self.digest(master + engine_id + master)


AUTH = {
    one.name: one
    for one in (
        Auth("md5", "md5", 12),
        Auth("sha", "sha1", 12),
        Auth("sha224", "sha224", 16),
        Auth("sha256", "sha256", 24),
        Auth("sha384", "sha384", 32),
        Auth("sha512", "sha512", 48),
    )
}


class Undecipherable(ValueError):
    """What came is not of this cipher's form."""


@dataclass(frozen=True, slots=True)
class Priv:
    """A cipher, the octets of key it takes, and how too short a key is made longer."""

    name: str
    size: int
    extend: Callable[[Auth, bytes, bytes], bytes]  # (hash, localised key, engine id)

    def key(self, auth: Auth, master: bytes, engine_id: bytes) -> bytes:
        """The localised key, long enough."""
        key = auth.localised(master, engine_id)
        while len(key) < self.size:
            key = self.extend(auth, key, engine_id)
        return key[: self.size]

    def encrypt(self, key: bytes, boots: int, time: int, salt: bytes, plain: bytes) -> bytes:
        """`salt` is what travels as privacy parameters; see `salt_of`."""
        if self.name == "des":
            plain += bytes(-len(plain) % 8)
        return self._cipher(key, boots, time, salt).encryptor().update(plain)

    def decrypt(self, key: bytes, boots: int, time: int, salt: bytes, data: bytes) -> bytes:
        if len(salt) != 8 or (self.name == "des" and len(data) % 8):
            raise Undecipherable("privacy parameters or length are not of the cipher")
        return self._cipher(key, boots, time, salt).decryptor().update(data)

    def salt_of(self, boots: int, counter: int) -> bytes:
        """Privacy parameters that never repeat under one key."""
        if self.name == "des":
            return struct.pack(">II", boots & 0xFFFFFFFF, counter & 0xFFFFFFFF)
        return struct.pack(">Q", counter & 0xFFFFFFFFFFFFFFFF)

    def _cipher(self, key: bytes, boots: int, time: int, salt: bytes) -> Cipher[CBC | CFB]:
        if self.name == "des":  # three times the same key: plain DES
            start = bytes(a ^ b for a, b in zip(key[8:16], salt, strict=True))
            return Cipher(TripleDES(key[:8] * 3), CBC(start))
        return Cipher(AES(key), CFB(struct.pack(">II", boots, time) + salt))


def _blumenthal(auth: Auth, key: bytes, _engine_id: bytes) -> bytes:
    return key + auth.digest(key)


def _reeder(auth: Auth, key: bytes, engine_id: bytes) -> bytes:
    """The key itself taken for a password (its last part, where it has been extended before)."""
    last = key[-len(auth.digest(b"")) :]
    return key + auth.localised(auth.master(last), engine_id)


PRIV = {
    one.name: one
    for one in (
        Priv("des", 16, _blumenthal),
        Priv("aes128", 16, _blumenthal),
        Priv("aes192", 24, _blumenthal),
        Priv("aes256", 32, _blumenthal),
        Priv("aes192c", 24, _reeder),
        Priv("aes256c", 32, _reeder),
    )
}


@dataclass(frozen=True, slots=True)
class User:
    """One user of SNMPv3, as the configuration has it."""

    name: str
    auth: Auth | None = None
    priv: Priv | None = None
    auth_password: str = field(default="", repr=False)
    priv_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """A user's keys for one engine."""

    auth: bytes = field(default=b"", repr=False)
    priv: bytes = field(default=b"", repr=False)


class KeyRing:
    """Keys made so far: hashing a password takes milliseconds, and thousands of devices share it."""

    def __init__(self) -> None:
        self._masters: dict[tuple[str, str], bytes] = {}
        self._keys: dict[tuple[User, bytes], Keys] = {}

    def keys(self, user: User, engine_id: bytes) -> Keys:
        found = self._keys.get((user, engine_id))
        if found is not None:
            return found
        keys = self.signing(user, engine_id)
        if user.auth is not None and user.priv is not None:
            master = self._master(user.auth, user.priv_password)
            keys = Keys(keys.auth, user.priv.key(user.auth, master, engine_id))
        if len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
        self._keys[user, engine_id] = keys
        return keys

    def signing(self, user: User, engine_id: bytes) -> Keys:
        """The authentication key alone, which is cheap: for messages of nobody knows whom."""
        if user.auth is None:
            return Keys()
        master = self._master(user.auth, user.auth_password)
        return Keys(user.auth.localised(master, engine_id))

    def _master(self, auth: Auth, password: str) -> bytes:
        known = self._masters.get((auth.name, password))
        if known is None:
            known = self._masters[auth.name, password] = auth.master(password.encode())
        return known


_MOST_KEYS = 20_000
