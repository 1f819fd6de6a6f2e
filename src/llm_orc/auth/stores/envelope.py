"""The store's file as readable without a key: a header and encrypted entries, one for each slot.

A slot's name is `provider/<digest of the account>`. The provider is in clear text, as it is in the configuration
beside the store, so a locked store still shows which providers it has and doesn't block the others. An account is
often an e-mail address, so it is encrypted.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import field

from llm_orc.auth.stores.keys import KeyHeader, Protection, Scrypt
from llm_orc.dataclass import dataclass
from llm_orc.errors import CredentialStoreError
from llm_orc.jsontypes import JsonValue

FORMAT = "llm-orc-credentials"
VERSION = 1

_SCRYPT_LIMITS = {"n": (2**17, 2**20), "r": (8, 16), "p": (1, 4)}  # a forged header must not exhaust the memory


@dataclass(frozen=True, slots=True)
class Envelope:
    """`sealed` is by slot. Keys of newer releases are in `extra` and written back unchanged."""

    key: KeyHeader
    sealed: Mapping[str, JsonValue] = field(default_factory=dict)
    extra: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(sorted({provider_of(slot) for slot in self.sealed}))


def provider_of(slot: str) -> str:
    return slot.rpartition("/")[0]


def to_bytes(envelope: Envelope) -> bytes:
    key: dict[str, JsonValue] = {"id": envelope.key.id, "protection": envelope.key.protection.value}
    if (scrypt := envelope.key.scrypt) is not None:
        salt = b64encode(scrypt.salt).decode()
        key["scrypt"] = {"n": scrypt.n, "r": scrypt.r, "p": scrypt.p, "salt": salt}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "key": key,
        **envelope.extra,
        "entries": dict(envelope.sealed),
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def from_bytes(data: bytes, where: str) -> Envelope:
    """Raise `CredentialStoreError` of state `corrupt`, or `foreign` for a file that was never one of ours."""
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _not_json(data, where) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CredentialStoreError(f"`{where}` is not a credential store of llm-orc", state="foreign")
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise CredentialStoreError(
            f"`{where}` was written by a newer release of llm-orc (its format is version {version})",
            state="foreign",
            hint="Update llm-orc.",
        )
    try:
        header = _header(document["key"])
        entries = document["entries"]
    except (KeyError, TypeError, ValueError):
        entries = header = None
    if header is None or version != VERSION or not isinstance(entries, dict):
        said = f"the credential store `{where}` is damaged: parts of it are missing or wrong"
        raise CredentialStoreError(said, state="corrupt")
    extra = {k: v for k, v in document.items() if k not in {"format", "version", "key", "entries"}}
    return Envelope(header, entries, extra)


def _not_json(data: bytes, where: str) -> CredentialStoreError:
    if data.strip(b"\0 \t\r\n") and FORMAT.encode() not in data[:200]:
        return CredentialStoreError(f"`{where}` is not a credential store of llm-orc", state="foreign")
    what = "it is cut short or garbled" if data.strip(b"\0 \t\r\n") else "it is empty"
    return CredentialStoreError(f"the credential store `{where}` is damaged: {what}", state="corrupt")


def _header(key: JsonValue) -> KeyHeader:
    if not isinstance(key, dict) or not isinstance(key["id"], str):
        raise TypeError
    protection = Protection(str(key["protection"]))
    scrypt = _scrypt(key["scrypt"]) if protection is Protection.PASSPHRASE else None
    return KeyHeader(key["id"], protection, scrypt)


def _scrypt(fields: JsonValue) -> Scrypt:
    if not isinstance(fields, dict):
        raise TypeError
    numbers: dict[str, int] = {}
    for name, (least, most) in _SCRYPT_LIMITS.items():
        number = fields[name]
        if not isinstance(number, int) or not least <= number <= most:
            raise ValueError
        numbers[name] = number
    if numbers["n"] & (numbers["n"] - 1):
        raise ValueError  # scrypt's cost is a power of two
    try:
        salt = b64decode(str(fields["salt"]), validate=True)
    except binascii.Error:
        raise ValueError from None
    return Scrypt(salt, **numbers)
