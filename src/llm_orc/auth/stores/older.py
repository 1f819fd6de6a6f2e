"""Stores of earlier releases, read in place and never written: one Fernet token that contains a YAML mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import DEFAULT_ACCOUNT, ApiKey, Credential, Entry, OAuthToken
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.storage.private_file import Stamp, read_private, stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue

_LIMIT_BYTES = 4 * 1024 * 1024
_PATH_AS_KEY = "claude-cli"  # those releases stored the path of this program in place of a key


@dataclass(frozen=True, slots=True)
class OlderContents:
    """`notices` say in sentences what could not be read. `is_readable` is false if nothing could."""

    entries: tuple[Entry, ...] = ()
    notices: tuple[str, ...] = ()
    is_readable: bool = True


class OlderStore(Protocol):
    """A store of another release. Never raises: its problems must not block our own."""

    def read(self) -> OlderContents: ...


class OlderStores:
    """Several of them, the newer one first."""

    def __init__(self, stores: Sequence[OlderStore]) -> None:
        self._stores = tuple(stores)

    @property
    def notices(self) -> tuple[str, ...]:
        """What could not be read in any of them."""
        return tuple(notice for store in self._stores for notice in store.read().notices)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of each store by provider and account; several stores may have the same account."""
        for store in self._stores:
            yield from sorted(store.read().entries, key=lambda entry: (entry.provider, entry.account))

    def may_hold(self, key: tuple[str, str]) -> bool:
        """Return whether one of them has an entry of this provider and account, or can't be read now."""
        for store in self._stores:
            contents = store.read()
            if not contents.is_readable or any((e.provider, e.account) == key for e in contents.entries):
                return True
        return False


class FernetStore:
    """`credentials.yaml` and `.encryption_key` in one folder: releases up to 0.16, and those after them."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "credentials.yaml"
        self._key = folder / ".encryption_key"
        self._known: tuple[tuple[Stamp | None, Stamp | None], OlderContents] | None = None

    @property
    def path(self) -> Path:
        """The file with the credentials; its key is beside it."""
        return self._data

    def read(self) -> OlderContents:
        stamps = (stamp_of(self._data), stamp_of(self._key))
        if self._known is None or self._known[0] != stamps:
            self._known = (stamps, self._read())
        return self._known[1]

    def _read(self) -> OlderContents:
        try:
            data = read_private(self._data, limit_bytes=_LIMIT_BYTES, repair=False)
            if data is None:
                return OlderContents()
            key = read_private(self._key, limit_bytes=_LIMIT_BYTES, repair=False)
        except StorageError as e:
            return self._unreadable(e.message)
        if key is None:
            return self._unreadable(f"its key file `{self._key}` is missing")
        text = _decrypted(key.data, data.data)
        if text is None:
            return self._unreadable(f"the key in `{self._key}` does not fit, or the file is damaged")
        return self._entries(text)

    def _unreadable(self, why: str) -> OlderContents:
        said = f"the older credential store `{self._data}` can't be read and was left unchanged: {why}"
        return OlderContents((), (said,), is_readable=False)

    def _entries(self, text: bytes) -> OlderContents:
        from llm_orc.storage.yaml_source import read_yaml_text  # noqa: PLC0415 - only where there is such a store

        located = read_yaml_text(text)
        if located.problems or not isinstance(located.data, dict | None):
            return self._unreadable("its content is not a YAML mapping")  # a problem might quote a secret
        entries: list[Entry] = []
        notices: list[str] = []
        for provider, fields in (located.data or {}).items():
            if provider == _PATH_AS_KEY:
                notices.append(
                    f"the older credential store `{self._data}` names a program for `{provider}`, which is not a "
                    "credential; it is not used"
                )
            elif (credential := _credential(fields)) is None:
                notices.append(
                    f"the older credential store `{self._data}` has an entry `{provider}` without a credential"
                )
            else:
                entries.append(_entry(provider, credential))
        return OlderContents(tuple(entries), tuple(notices))


def _decrypted(key: bytes, token: bytes) -> bytes | None:
    from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415

    try:
        return Fernet(key.strip()).decrypt(token.strip())
    except (InvalidToken, ValueError):
        return None


def _entry(provider: str, credential: Credential) -> Entry:
    # The one OAuth sign-in of those releases was a subscription's.
    billing = Billing.METERED if isinstance(credential, ApiKey) else Billing.SUBSCRIPTION
    return Entry(provider, DEFAULT_ACCOUNT, credential, billing, source="older-store")


def _credential(fields: JsonValue) -> Credential | None:
    if not isinstance(fields, dict):
        return None
    if fields.get("auth_method") == "oauth":
        access, refresh = _secret(fields.get("access_token")), _secret(fields.get("refresh_token"))
        if access is None:
            return None
        expires, client_id = fields.get("expires_at"), fields.get("client_id")
        return OAuthToken(
            access_token=access,
            refresh_token=refresh,
            expires_at=float(expires) if isinstance(expires, int | float) else None,
            client_id=client_id if isinstance(client_id, str) and client_id else None,
        )
    key = _secret(fields.get("api_key"))
    return ApiKey(key) if key is not None else None


def _secret(value: JsonValue) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None
