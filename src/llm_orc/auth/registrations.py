"""The clients that sign-ins have registered, one for each account, and the id of this machine: no secrets.

They outlive the credentials: a provider wants one client for each of its accounts, so the next sign-in of an
account uses the client of the one before, also after a logout.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from llm_orc.errors import CredentialStoreError, StorageError
from llm_orc.storage.atomic import write_private
from llm_orc.storage.lock import exclusive
from llm_orc.storage.private_file import read_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LIMIT_BYTES = 1024 * 1024
_LOCK_WAIT_S = 10.0


class Registration(msgspec.Struct, frozen=True):
    """The client of one account. `subject` is the account's id at the provider; empty: not proven yet.

    `issuer` is the server that knows this client: another one never gets it. `resource` is what its tokens are for
    (RFC 8707), where the sign-in has found that out.
    """

    provider: str
    account: str
    issuer: str
    client_id: str
    subject: str = ""
    resource: str = ""


class _File(msgspec.Struct, frozen=True, omit_defaults=True):
    host_id: str = ""
    registrations: tuple[Registration, ...] = ()


class Registrations:
    """One file for all processes. Raises `CredentialStoreError` if it can't be read or written."""

    def __init__(self, path: Path, new_id: Callable[[], uuid.UUID] = uuid.uuid4) -> None:
        self._path, self._new_id = path, new_id

    def host_id(self) -> str:
        """Return the id of this machine; it is made at the first call and stays the same."""
        if not (known := self._read().host_id):
            with self._changing() as held:
                known = held.host_id or self._new_id().urn
                if not held.host_id:
                    self._write(msgspec.structs.replace(held, host_id=known))
        return known

    def of(self, provider: str, account: str, issuer: str) -> Registration | None:
        """Return the client of this account at this server, if it has one."""
        return next(
            (r for r in self._read().registrations if _is_of(r, provider, account) and r.issuer == issuer), None
        )

    def newest(self, provider: str, account: str) -> Registration | None:
        """Return the client of this account, at whatever server it was registered."""
        return next((r for r in self._read().registrations if _is_of(r, provider, account)), None)

    def keep(self, new: Registration) -> None:
        """Keep the client of an account, in place of an earlier one."""
        with self._changing() as held:
            others = tuple(r for r in held.registrations if not _is_of(r, new.provider, new.account))
            if (*others, new) != held.registrations:
                self._write(msgspec.structs.replace(held, registrations=(*others, new)))

    def forget(self, provider: str, account: str) -> bool:
        """Forget the client of an account; return whether there was one."""
        if not any(_is_of(r, provider, account) for r in self._read().registrations):
            return False
        with self._changing() as held:
            others = tuple(r for r in held.registrations if not _is_of(r, provider, account))
            self._write(msgspec.structs.replace(held, registrations=others))
        return True

    @contextmanager
    def _changing(self) -> Iterator[_File]:
        lock = self._path.with_name(f"{self._path.name}.lock")
        try:
            with exclusive(lock, wait_s=_LOCK_WAIT_S) as is_held:
                if not is_held:
                    raise CredentialStoreError(
                        f"`{self._path}` is locked by another process", state="busy", hint="Try again."
                    )
                yield self._read()
        except StorageError as e:
            raise CredentialStoreError(e.message, state="unlockable", hint=e.hint) from e

    def _write(self, new: _File) -> None:
        try:
            write_private(self._path, msgspec.json.encode(new))
        except StorageError as e:
            raise CredentialStoreError(e.message, state="unwritable", hint=e.hint) from e

    def _read(self) -> _File:
        try:
            file = read_private(self._path, limit_bytes=_LIMIT_BYTES)
            return msgspec.json.decode(file.data, type=_File) if file else _File()
        except StorageError as e:
            raise CredentialStoreError(e.message, state="unsafe", hint=e.hint) from e
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise CredentialStoreError(
                f"`{self._path}` is damaged: it holds the clients that sign-ins have registered",
                state="corrupt",
                hint=f"Delete it, then sign in again: `rm {self._path}`.",
            ) from e


def _is_of(registration: Registration, provider: str, account: str) -> bool:
    return (registration.provider, registration.account) == (provider, account)
