"""The data key in a private file beside the store, if there is neither keychain nor passphrase."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from llm_orc.auth.stores.keys import DataKey, KeyHeader, NewKey, Protection
from llm_orc.errors import CredentialStoreError, StorageError, UnsafeFile
from llm_orc.storage.atomic import remove_leftovers, write_private
from llm_orc.storage.private_file import read_private

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "llm-orc-key-1"
_LIMIT_BYTES = 64 * 1024


class KeyFile:
    """One key per line. A new key is kept beside the old one until the store is rewritten, so no crash loses both.

    `create` and `forget` are called under the store's lock, which excludes other writers.
    """

    protection = Protection.KEY_FILE

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loose: int | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        if self._loose is None:
            return ()
        return (f"the key file `{self.path}` was readable by others (mode {self._loose:04o}); it is now 0600",)

    def create(self) -> NewKey:
        lines = self._lines()
        if lines and not _keys(lines):
            raise CredentialStoreError(
                f"`{self.path}` is not a key file of llm-orc, so no key is added to it",
                state="foreign",
                hint=f"Move it away: `mv {self.path} {self.path}.old`.",
            )
        remove_leftovers(self.path)
        key = DataKey.new()
        self._write([*lines, f"{_MARK} {b64encode(key.reveal()).decode()}"])
        return NewKey(key, KeyHeader(key.id, Protection.KEY_FILE))

    def find(self, header: KeyHeader) -> DataKey:
        lines = self._lines()
        for key in _keys(lines):
            if key.id == header.id:
                return key
        said = "does not contain the key of this store" if lines else "with the key of this store is missing"
        raise CredentialStoreError(
            f"the key file `{self.path}` {said}",
            state="wrong_key",
            hint="Restore the right key file from a backup.",
        )

    def forget(self, header: KeyHeader) -> None:
        lines = self._lines()
        kept = [line for line in lines if not any(key.id == header.id for key in _keys([line]))]
        if kept != lines:
            self._write(kept)

    def _lines(self) -> list[str]:
        try:
            file = read_private(self.path, limit_bytes=_LIMIT_BYTES)
        except UnsafeFile as e:
            raise CredentialStoreError(f"the key file {e.message}", state="unsafe") from e
        except StorageError as e:
            raise CredentialStoreError(f"the key file is not usable: {e.message}", state="locked") from e
        if file is None:
            return []
        self._loose = file.was_loose or self._loose
        return file.data.decode("utf-8", "replace").splitlines()

    def _write(self, lines: list[str]) -> None:
        try:
            write_private(self.path, "".join(f"{line}\n" for line in lines).encode())
        except StorageError as e:
            raise CredentialStoreError(e.message, state="unwritable", hint=e.hint) from e


def _keys(lines: list[str]) -> list[DataKey]:
    found = []
    for line in lines:
        mark, _, text = line.partition(" ")
        if mark != _MARK:
            continue
        try:
            found.append(DataKey(b64decode(text, validate=True)))
        except (ValueError, binascii.Error):
            continue
    return found
