"""The data key derived from a passphrase: real protection for machines without a keychain."""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
from typing import TYPE_CHECKING, Protocol

from llm_orc.auth.secret import Secret
from llm_orc.auth.stores.keys import KEY_BYTES, DataKey, KeyHeader, NewKey, Protection, Scrypt
from llm_orc.errors import CredentialStoreError, StorageError
from llm_orc.storage.private_file import read_private

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT_BYTES = 64 * 1024
_SALT_BYTES = 16


class AskPassphrase(Protocol):
    """Asks a person; returns None without a terminal. `new`: it is being chosen, so ask twice."""

    def __call__(self, *, new: bool) -> Secret | None: ...


class Passphrase:
    """Takes the passphrase from `file`, else from `ask`. The derived key is kept in memory only."""

    protection = Protection.PASSPHRASE
    notices: tuple[str, ...] = ()

    def __init__(self, ask: AskPassphrase | None = None, *, file: Path | None = None) -> None:
        self._ask = ask
        self._source = file
        self._known: dict[str, DataKey] = {}
        self._one_question = threading.Lock()

    def create(self) -> NewKey:
        scrypt = Scrypt(os.urandom(_SALT_BYTES))
        key = _derive(self._passphrase(new=True), scrypt)
        self._known[key.id] = key
        return NewKey(key, KeyHeader(key.id, Protection.PASSPHRASE, scrypt))

    def find(self, header: KeyHeader) -> DataKey:
        with self._one_question:
            if (known := self._known.get(header.id)) is not None:
                return known
            if header.scrypt is None:
                raise CredentialStoreError("the store's key is not derived from a passphrase", state="wrong_key")
            key = _derive(self._passphrase(new=False), header.scrypt)
            if key.id != header.id:
                said = f"the passphrase in `{self._source}`" if self._source else "the passphrase"
                raise CredentialStoreError(f"{said} is not the one of this credential store", state="wrong_key")
            self._known[key.id] = key
            return key

    def forget(self, header: KeyHeader) -> None:
        self._known.pop(header.id, None)

    def _passphrase(self, *, new: bool) -> Secret:
        passphrase = _first_line(self._source) if self._source else self._ask(new=new) if self._ask else None
        if not passphrase:
            raise CredentialStoreError(
                "the credential store needs its passphrase",
                state="locked",
                hint="Run this in a terminal, or set LLM_ORC_PASSPHRASE_FILE to a file that contains it.",
            )
        return passphrase


def _derive(passphrase: Secret, scrypt: Scrypt) -> DataKey:
    # Keyboards may produce different code points for the same letter.
    text = unicodedata.normalize("NFC", passphrase.reveal()).encode()
    memory = 128 * scrypt.n * scrypt.r
    return DataKey(
        hashlib.scrypt(
            text, salt=scrypt.salt, n=scrypt.n, r=scrypt.r, p=scrypt.p, dklen=KEY_BYTES, maxmem=2 * memory
        )
    )


def _first_line(path: Path) -> Secret:
    """Return the file's one line. Links in its path are followed, because the user named it."""
    try:
        file = read_private(path.resolve(), limit_bytes=_LIMIT_BYTES, repair=False)
    except StorageError as e:
        raise CredentialStoreError(f"the passphrase file can't be used: {e.message}", state="locked") from e
    if file is None:
        raise CredentialStoreError(f"the passphrase file `{path}` does not exist", state="locked")
    if file.was_loose is not None:
        raise CredentialStoreError(
            f"the passphrase file `{path}` is readable by others (mode {file.was_loose:04o})",
            state="locked",
            hint=f"chmod 600 {path}",
        )
    try:
        lines = file.data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 1 or not lines[0]:
        raise CredentialStoreError(
            f"the passphrase file `{path}` does not contain exactly one line of text", state="locked"
        )
    return Secret(lines[0])
