"""Credentials that their server has refused: remembered by hash, so that no run sends one of them again.

A refusal applies to one credential at one server. Another key, a refreshed token or a new sign-in is another
credential. `llm-orc auth test` forgets the refusal and tries again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.auth.credential import Refused
from llm_orc.auth.masking import hide_in_error
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessRefused, CredentialRefused, StorageError
from llm_orc.net.text import one_line
from llm_orc.storage.atomic import write_private
from llm_orc.storage.lock import exclusive
from llm_orc.storage.private_file import read_private, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llm_orc.auth.secret import Secret
    from llm_orc.storage.private_file import Stamp

_MOST = 500  # the oldest are dropped first
_LIMIT_BYTES = 1024 * 1024
_LOCK_WAIT_S = 10.0
_SALT_BYTES = 16
REFUSED_KEY = "credential_refused"
_GONE_WORDS = ("revoked", "expired", "deactivated", "disabled", "invalid api key", "invalid x-api-key")


@dataclass(frozen=True, slots=True)
class _Row:
    credential: str  # HMAC-SHA-256 of server and secret, hexadecimal
    signature: str
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class _File:
    salt: str = ""
    refusals: tuple[_Row, ...] = ()


class RefusalMemory:
    """One file for all processes. Never raises: a credential that can't be remembered is only sent once more."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._known: tuple[Stamp | None, _File] = (None, _File())

    def find(self, origin: str, secret: Secret) -> Refused | None:
        """Return the last refusal of this secret by `origin`, if there is one."""
        held = self._read()
        name = _name(held.salt, origin, secret)
        for row in held.refusals:
            if row.credential == name:
                return Refused(name, row.signature, row.message, row.at)
        return None

    def refuse_known(self, origin: str, secret: Secret) -> None:
        """Raise `CredentialRefused` if it was refused before, so that it is not sent."""
        if (refused := self.find(origin, secret)) is not None:
            said = refused.message or "it gave no reason"
            raise CredentialRefused(
                f"the server `{origin}` has refused this credential before: {said}",
                hint="`llm-orc auth test` tries it once more.",
                provider_message=refused.message,
            )

    def remember(self, origin: str, secret: Secret, refused: CredentialRefused | AccessRefused) -> None:
        """Remember the refusal, unless it may be about one model or one permission (most with status 403)."""
        if not is_final(refused):
            return
        signature = refused.signature if isinstance(refused, AccessRefused) else REFUSED_KEY
        message = one_line(hide_in_error(refused.provider_message))

        def add(held: _File) -> _File:
            name = _name(held.salt, origin, secret)
            if any(one.credential == name for one in held.refusals):
                return held
            return _File(held.salt, (*held.refusals[1 - _MOST :], _Row(name, signature, message, self._clock())))

        self._change(add)

    def forget(self, origin: str, secret: Secret) -> None:
        """Forget the refusal, so that the credential is tried again."""
        if self.find(origin, secret) is None:
            return

        def drop(held: _File) -> _File:
            name = _name(held.salt, origin, secret)
            return _File(held.salt, tuple(row for row in held.refusals if row.credential != name))

        self._change(drop)

    def _change(self, change: Callable[[_File], _File]) -> None:
        import msgspec  # noqa: PLC0415 - heavy

        lock = self._path.with_name(f"{self._path.name}.lock")
        with suppress(StorageError), exclusive(lock, wait_s=_LOCK_WAIT_S, poll_s=0.01) as is_alone:
            if not is_alone:
                return  # without the lock, what another process writes meanwhile would be lost
            held = self._read()
            if not held.salt:
                held = _File(os.urandom(_SALT_BYTES).hex())
            if (changed := change(held)) != held:
                write_private(self._path, msgspec.json.encode(changed))

    def _read(self) -> _File:
        stamp = stamp_of(self._path)
        if stamp is None:
            return _File()
        if self._known[0] != stamp:
            self._known = (stamp, self._decoded())
        return self._known[1]

    def _decoded(self) -> _File:
        import msgspec  # noqa: PLC0415 - heavy

        try:
            file = read_private(self._path, limit_bytes=_LIMIT_BYTES)
            return msgspec.json.decode(file.data, type=_File) if file else _File()
        except (StorageError, msgspec.DecodeError, UnicodeDecodeError):
            return _File()


def is_final(refused: CredentialRefused | AccessRefused) -> bool:
    """True if the refusal is about the credential itself, not about the request.

    A 403 may be about one model or one permission, unless its text says that the credential is invalid.
    """
    if isinstance(refused, AccessRefused) or refused.status != 403:
        return True
    return any(words in refused.provider_message.lower() for words in _GONE_WORDS)


def _name(salt: str, origin: str, secret: Secret) -> str:
    what = f"{origin}\0{secret.reveal()}".encode("utf-8", "surrogatepass")
    return hmac.new(salt.encode(), what, hashlib.sha256).hexdigest()
