"""The table of sources of the data key: where a new one goes, and where that of an existing store is."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from llm_orc.auth.stores.key_file import KeyFile
from llm_orc.auth.stores.keychain import Keychain
from llm_orc.auth.stores.keys import DataKey, KeyHeader, KeySource, NewKey, Protection
from llm_orc.auth.stores.passphrase import AskPassphrase, Passphrase
from llm_orc.errors import CredentialStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def choose_keys(
    key_file: Path,
    cache: Path,
    *,
    prefer: Protection | None = None,
    ask_passphrase: AskPassphrase | None = None,
    passphrase_file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
) -> DataKeys:
    """Return all sources. If a passphrase file is named, new stores are protected by it."""
    if prefer is None and passphrase_file is not None:
        prefer = Protection.PASSPHRASE
    places: dict[Protection, KeySource] = {
        Protection.KEYCHAIN: Keychain(cache, environ=environ, clock=clock),
        Protection.PASSPHRASE: Passphrase(ask_passphrase, file=passphrase_file),
        Protection.KEY_FILE: KeyFile(key_file),
    }
    return DataKeys(places, prefer)


class DataKeys:
    """Finds a key where its store says that it is.

    A new key goes where the user `prefer`s, and nowhere else; without a preference into the keychain, or, if that
    can't be used, into the key file, with a notice.
    """

    def __init__(self, places: Mapping[Protection, KeySource], prefer: Protection | None = None) -> None:
        self._places = places
        self._prefer = prefer
        self._fallback: str | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        said = [notice for place in self._places.values() for notice in place.notices]
        return (*said, *([self._fallback] if self._fallback else []))

    def preferring(self, protection: Protection) -> DataKeys:
        """Return the same sources with another preference, for `CredentialStorage.reprotect`."""
        return DataKeys(self._places, protection)

    def create(self) -> NewKey:
        if self._prefer is not None:
            return self._places[self._prefer].create()
        try:
            return self._places[Protection.KEYCHAIN].create()
        except CredentialStoreError as e:
            self._fallback = f"{e.message}; a new credential store is {Protection.KEY_FILE.words}"
            return self._places[Protection.KEY_FILE].create()

    def find(self, header: KeyHeader) -> DataKey:
        return self._places[header.protection].find(header)

    def forget(self, header: KeyHeader) -> None:
        self._places[header.protection].forget(header)
