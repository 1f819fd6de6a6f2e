"""The data key that encrypts the store, and the interface of its sources."""

from __future__ import annotations

import hmac
import os
from enum import StrEnum
from typing import NoReturn, Protocol, final

from llm_orc.dataclass import dataclass

KEY_BYTES = 32


class Protection(StrEnum):
    """What protects the store from someone who has the file."""

    KEYCHAIN = "keychain"
    PASSPHRASE = "passphrase"  # noqa: S105 - the name of a choice
    KEY_FILE = "key-file"

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Protection.KEYCHAIN: "encrypted; its key is in the operating system's keychain",
    Protection.PASSPHRASE: "encrypted with a key derived from your passphrase",
    Protection.KEY_FILE: "encrypted; its key is in a file beside it: protects against casual reading only",
}


@final
class DataKey:
    """32 secret bytes and an `id` that distinguishes them; the id reveals nothing about the key."""

    __slots__ = ("_key", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a data key has {KEY_BYTES} bytes")
        self._key = key
        self.id = self.derive("key id")[:16].hex()

    @classmethod
    def new(cls) -> DataKey:
        return cls(os.urandom(KEY_BYTES))

    def reveal(self) -> bytes:
        return self._key

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose; they reveal neither the key nor the bytes of another purpose."""
        return hmac.digest(self._key, f"llm-orc {purpose}".encode(), "sha256")

    def __repr__(self) -> str:
        return f"DataKey({self.id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a data key is never pickled")


@dataclass(frozen=True, slots=True)
class Scrypt:
    """How a key is derived from a passphrase (RFC 7914): `n` is the cost, `128 * n * r` bytes the memory."""

    salt: bytes
    n: int = 2**17
    r: int = 8
    p: int = 1


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """In clear text in the store: which key decrypts it, and where that key is."""

    id: str
    protection: Protection
    scrypt: Scrypt | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is already stored."""

    key: DataKey
    header: KeyHeader


class KeySource(Protocol):
    """One source of data keys. All methods raise `CredentialStoreError` and never wait for long."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Notices about this source, in sentences."""
        ...

    def create(self) -> NewKey:
        """Create and store a new key; older ones stay."""
        ...

    def find(self, header: KeyHeader) -> DataKey:
        """Return the key of this header. State `locked`: try again later; `wrong_key`: it is not here."""
        ...

    def forget(self, header: KeyHeader) -> None:
        """Delete a key that no store needs any more; a missing key is no error."""
        ...
