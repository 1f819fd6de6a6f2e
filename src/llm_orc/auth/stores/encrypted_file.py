"""The store's file: read it, decrypt its entries, replace it. Locking is done elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.auth.credential import Entry
from llm_orc.auth.stores.entry_fields import Fields, NotUnderstood, from_fields, to_fields
from llm_orc.auth.stores.envelope import Envelope, from_bytes, provider_of, to_bytes
from llm_orc.auth.stores.sealing import Damaged, Sealer
from llm_orc.dataclass import dataclass
from llm_orc.errors import CredentialStoreError, StorageError, UnsafeFile
from llm_orc.storage.atomic import remove_leftovers, sync_directory, write_private
from llm_orc.storage.private_file import Stamp, read_private, stamp_of

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.auth.stores.keys import KeyHeader, KeySource
    from llm_orc.jsontypes import JsonValue

_LIMIT_BYTES = 16 * 1024 * 1024
_TICK_S = 2.0  # the coarsest in use, FAT's
_REMOVED = "removed"  # marks an entry of an older store that the user removed

EntryKey = tuple[str, str]  # provider, account


@dataclass(frozen=True, slots=True)
class Contents:
    """One decrypted version of the file.

    `damaged` are slots that the right key does not decrypt, `strange` ones that a newer release wrote.
    """

    envelope: Envelope
    sealer: Sealer = field(repr=False)
    entries: Mapping[EntryKey, Entry]
    removed: frozenset[EntryKey] = frozenset()
    damaged: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()

    def holds(self, key: EntryKey) -> bool:
        """True if this slot has content, readable or not: it then supersedes an older store's entry."""
        return self.sealer.slot(*key) in self.envelope.sealed


class EncryptedFile:
    """Not bound to a thread. The content is cached until the file changes."""

    def __init__(self, path: Path, keys: KeySource) -> None:
        self.path = path
        self.keys = keys
        self.was_loose: int | None = None
        self._envelope: tuple[Stamp, Envelope] | None = None
        self._contents: Contents | None = None
        self._sealer: Sealer | None = None

    def look(self, *, fresh: bool = False) -> Envelope | None:
        """Return what is readable without the key; None without a file. `fresh` ignores the cache."""
        known = self._envelope
        if known is not None and not fresh and stamp_of(self.path) == known[0]:
            return known[1]
        try:
            file = read_private(self.path, limit_bytes=_LIMIT_BYTES)
        except UnsafeFile as e:
            raise CredentialStoreError(
                f"the credential store is not used: {e.message}",
                state="unsafe",
                hint=f"Look at it: `ls -l {self.path}`.",
            ) from e
        except StorageError as e:
            raise CredentialStoreError(f"the credential store is not usable: {e.message}", state="locked") from e
        if file is None:
            self._envelope = self._contents = None
            return None
        self.was_loose = file.was_loose or self.was_loose
        envelope = from_bytes(file.data, str(self.path))
        # Within one tick of the file system's clock, another version may have the same timestamp.
        self._envelope = (file.stamp, envelope) if file.age_s > _TICK_S else None
        return envelope

    def read(self, *, fresh: bool = False) -> Contents | None:
        """Decrypt every entry; one that fails leaves the others readable. None if there is no file."""
        envelope = self.look(fresh=fresh)
        if envelope is None:
            return None
        known = self._contents
        if known is not None and known.envelope is envelope:
            return known
        try:
            sealer = self._sealer_of(envelope.key)
        except CredentialStoreError:
            if (now := self.look(fresh=True)) is None or now.key == envelope.key:
                raise
            return self.read(fresh=True)  # the key was changed between the two readings
        contents = _open(envelope, sealer)
        self._contents = contents
        return contents

    def start(self) -> Contents:
        """Create a key for a file that does not exist yet. Call under the store's lock."""
        new = self.keys.create()
        self._sealer = Sealer(new.key)
        return Contents(Envelope(new.header), self._sealer, {})

    def write(
        self,
        contents: Contents,
        *,
        put: tuple[Entry, ...] = (),
        removed: tuple[EntryKey, ...] = (),
        drop: tuple[str, ...] = (),
    ) -> None:
        """Replace the file; entries that are not named stay unchanged, encrypted. Call under the store's lock.

        `removed` leaves a mark in the slot; `drop` empties slots.
        """
        sealer = contents.sealer
        sealed = {slot: value for slot, value in contents.envelope.sealed.items() if slot not in drop}
        for entry in put:
            slot = sealer.slot(entry.provider, entry.account)
            sealed[slot] = sealer.seal(slot, to_fields(entry))
        for key in removed:
            slot = sealer.slot(*key)
            sealed[slot] = sealer.seal(slot, _removed_fields(key))
        self._replace(replace(contents.envelope, sealed=sealed))

    def rekey(self, contents: Contents, keys: KeySource) -> None:
        """Encrypt everything again with a key of `keys`, then delete the old one. Call under the store's lock."""
        if contents.damaged:
            provider = provider_of(contents.damaged[0])
            raise CredentialStoreError(
                f"the protection of `{self.path}` was not changed: an entry of `{provider}` is damaged "
                "and can't be encrypted with another key",
                state="corrupt",
                hint="Remove the damaged entry first.",
            )
        new = keys.create()
        sealer = Sealer(new.key)
        sealed: dict[str, JsonValue] = {}
        for slot, value in contents.envelope.sealed.items():
            fields = contents.sealer.open(slot, value)
            moved = sealer.slot(provider_of(slot), str(fields.get("account")))
            sealed[moved] = sealer.seal(moved, fields)
        try:
            self._replace(replace(contents.envelope, key=new.header, sealed=sealed))
        except CredentialStoreError:
            keys.forget(new.header)
            raise
        old, self.keys, self._sealer = self.keys, keys, sealer
        old.forget(contents.envelope.key)

    def set_aside(self, now: float) -> Path:
        """Rename the file, with the time (Unix seconds) in its new name, and return where it is then."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}")
        number = 1
        while aside.exists() or aside.is_symlink():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}-{number}")
        try:
            self.path.rename(aside)
            sync_directory(aside.parent)
        except OSError as e:
            message = f"can't move `{self.path}` to `{aside}`: {e.strerror or e}"
            raise CredentialStoreError(message, state="unwritable") from e
        return aside

    def _replace(self, envelope: Envelope) -> None:
        try:
            remove_leftovers(self.path)
            write_private(self.path, to_bytes(envelope))
        except StorageError as e:
            raise CredentialStoreError(e.message, state="unwritable", hint=e.hint) from e

    def _sealer_of(self, header: KeyHeader) -> Sealer:
        if self._sealer is None or self._sealer.key_id != header.id:
            self._sealer = Sealer(self.keys.find(header))
        return self._sealer


def _open(envelope: Envelope, sealer: Sealer) -> Contents:
    entries: dict[EntryKey, Entry] = {}
    removed: set[EntryKey] = set()
    damaged: list[str] = []
    strange: list[str] = []
    for slot, sealed in envelope.sealed.items():
        try:
            fields = sealer.open(slot, sealed)
            key = (str(fields["provider"]), str(fields["account"]))
            if fields.get("kind") == _REMOVED:
                removed.add(key)
            else:
                entries[key] = from_fields(fields)
        except Damaged:
            damaged.append(slot)
        except (NotUnderstood, KeyError):
            strange.append(slot)
    return Contents(envelope, sealer, entries, frozenset(removed), tuple(damaged), tuple(strange))


def _removed_fields(key: EntryKey) -> Fields:
    return {"kind": _REMOVED, "provider": key[0], "account": key[1]}
