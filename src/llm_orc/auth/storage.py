"""The credential store: one encrypted file, one way to write it, any number of processes.

Every change takes the lock, reads the file again, changes it, and replaces it whole. Nothing here is asynchronous:
callers on an event loop use `asyncio.to_thread`.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import ApiKey, Entry, OAuthToken, as_secret, new_entry
from llm_orc.auth.stores.encrypted_file import Contents, EncryptedFile, EntryKey
from llm_orc.auth.stores.entry_choice import (
    choose,
    damaged_of,
    others_inactive,
    refuse_damaged,
    unreadable_of,
    with_one_active,
)
from llm_orc.auth.stores.envelope import provider_of
from llm_orc.auth.stores.older import OlderStores
from llm_orc.auth.stores.refresh_locks import RefreshLocks, hold
from llm_orc.dataclass import dataclass
from llm_orc.errors import CredentialStoreError, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from llm_orc.auth.secret import Secret
    from llm_orc.auth.stores.keys import KeySource, Protection
    from llm_orc.auth.stores.older import OlderStore

_WRITE_WAIT_S = 30.0  # a write takes milliseconds; longer means that a process was suspended while writing
_WRITE_POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class StoreState:
    """`name` is `absent`, `ok`, or the `state` of the error that reading raises; `words` is a sentence."""

    name: str
    path: Path
    words: str
    hint: str | None = None

    @property
    def is_usable(self) -> bool:
        return self.name in {"absent", "ok"}


@dataclass(frozen=True, slots=True)
class StoredOf:
    """All credentials of one provider. `unreadable` are sentences; with one, the active entry may be unknown."""

    entries: tuple[Entry, ...] = ()
    unreadable: tuple[str, ...] = ()


class CredentialStorage:
    """Stores API keys and OAuth tokens by provider and account. Raises `CredentialStoreError`.

    A store that can't be read is never written. Entries of `older` stores are shown if our own store has none for
    that provider and account; changing one copies it into our own store. `locks` is the folder of refresh locks
    and cool-downs; it is beside the store, because processes that share one must share the other.
    """

    def __init__(
        self,
        path: Path,
        keys: KeySource,
        *,
        older: Sequence[OlderStore] = (),
        clock: Callable[[], float] = time.time,
        locks: Path | None = None,
    ) -> None:
        self.path = path
        self._file = EncryptedFile(path, keys)
        self._older = OlderStores(older)
        self._clock = clock
        self._refresh_locks = RefreshLocks(locks or path.with_name(f"{path.name}.turns"))

    @property
    def state(self) -> StoreState:
        """Return the store's state. May request the key from its source, so it may take a moment."""
        try:
            contents = self._file.read()
        except CredentialStoreError as e:
            return StoreState(e.state, self.path, e.message, e.hint)
        if contents is None:
            return StoreState("absent", self.path, f"there is no credential store at `{self.path}` yet")
        return StoreState(
            "ok", self.path, f"the credential store `{self.path}` is {contents.envelope.key.protection.words}"
        )

    @property
    def protection(self) -> Protection | None:
        """Return what protects the store; None if there is none yet. Needs no key."""
        envelope = self._file.look()
        return envelope.key.protection if envelope else None

    @property
    def providers(self) -> tuple[str, ...]:
        """Return our own store's providers, which are known without the key."""
        envelope = self._file.look()
        return envelope.providers if envelope else ()

    @property
    def older_providers(self) -> tuple[str, ...]:
        """Return the providers in older stores, whether removed here or not."""
        return tuple(dict.fromkeys(entry.provider for entry in self._older.entries()))

    @property
    def notices(self) -> tuple[str, ...]:
        """Return notices about what was read so far: corrected modes, damaged entries, older stores."""
        found = [*self._file.keys.notices]
        if (mode := self._file.was_loose) is not None:
            found.append(f"`{self.path}` was readable by others (mode {mode:04o}); it is now 0600")
        try:
            contents = self._file.read()
        except CredentialStoreError:
            contents = None
        if contents is not None:
            found += [
                f"an entry of `{provider_of(slot)}` is damaged; the others are not" for slot in contents.damaged
            ]
            found += [
                f"an entry of `{provider_of(slot)}` is of a newer release; it is kept but not used"
                for slot in contents.strange
            ]
        return tuple(dict.fromkeys((*found, *self._older.notices)))

    def entries(self) -> tuple[Entry, ...]:
        """Return our entries by provider and account, then those of older stores; one is active per provider."""
        return with_one_active(self._merged(self._file.read()))

    def get(self, provider: str, account: str | None = None) -> Entry | None:
        """Return an entry, without `account` the active one. Needs no key for a provider that the store lacks."""
        envelope = self._file.look()
        contents = self._file.read() if envelope is not None and provider in envelope.providers else None
        entry = choose(with_one_active(self._merged(contents)), provider, account)
        if entry is None and contents is not None:
            refuse_damaged(contents, provider, account)
        return entry

    def of(self, provider: str) -> StoredOf:
        """Return everything stored of one provider, unreadable entries as text. Needs a key like `get`."""
        envelope = self._file.look()
        contents = self._file.read() if envelope is not None and provider in envelope.providers else None
        entries = tuple(e for e in with_one_active(self._merged(contents)) if e.provider == provider)
        unreadable = unreadable_of(contents, provider, self.path) if contents is not None else ()
        own = contents.entries.values() if contents is not None else ()
        if unreadable and not any(entry.provider == provider and entry.is_active for entry in own):
            entries = tuple(replace(entry, is_active=False) for entry in entries)
        return StoredOf(entries, unreadable)

    def store_api_key(
        self,
        provider: str,
        key: Secret | str,
        *,
        account: str | None = None,
        billing: Billing = Billing.METERED,
        origin: str | None = None,
        label: str = "",
        terms_acknowledged_at: float | None = None,
        spend_cap: str = "",
    ) -> Entry:
        """Store a key and make its account the provider's active one."""
        entry = new_entry(provider, account, ApiKey(as_secret(key)), billing)
        entry = replace(entry, terms_acknowledged_at=terms_acknowledged_at, spend_cap=spend_cap)
        return self._store(entry, origin=origin, label=label)

    def store_oauth_token(
        self,
        provider: str,
        access_token: Secret | str,
        refresh_token: Secret | str | None = None,
        expires_at: float | None = None,
        client_id: str | None = None,
        *,
        account: str | None = None,
        scopes: Sequence[str] = (),
        billing: Billing = Billing.METERED,
    ) -> Entry:
        """Keep a new sign-in as `keep` does. `expires_at` is in Unix seconds."""
        token = OAuthToken(
            access_token=as_secret(access_token),
            refresh_token=as_secret(refresh_token) if refresh_token else None,
            expires_at=expires_at,
            issued_at=self._clock(),
            scopes=tuple(scopes),
            client_id=client_id,
        )
        return self.keep(new_entry(provider, account, token, billing))

    def keep(self, entry: Entry) -> Entry:
        """Store `entry`, replacing that of its account, and make the account its provider's active one.

        Marks of an earlier sign-in of this account are gone, its acknowledged terms stay.
        """
        return self._store(replace(entry, source="own"), origin=entry.origin, label=entry.label)

    def keep_if_free(self, entry: Entry) -> Entry:
        """Store `entry` if its provider has none yet, and return the stored one: this or another.

        An entry of an older store only competes with its own account: it is copied whatever others there are.
        """
        with self._writing() as contents:
            refuse_damaged(contents, entry.provider, None)
            merged = with_one_active(self._merged(contents))
            standing = choose(merged, entry.provider, entry.account if entry.source == "older-store" else None)
            is_adopted = standing == entry and not entry.is_set_up
            if standing is not None and not is_adopted and (standing.source == "own" or standing != entry):
                return standing
            kept = replace(entry, source="own", obtained_at=entry.obtained_at or self._clock())
            self._file.write(contents, put=(kept,))
            return kept

    def holding(self) -> AbstractContextManager[None]:
        """Keep all other writers out, so that what is read stays valid. Don't write within it."""
        return self._locked()

    def update(self, provider: str, account: str | None, change: Callable[[Entry], Entry]) -> Entry:
        """Replace an entry by `change` of its newest version, under the store's lock; so `change` must be fast.

        Raises `NotLoggedIn` if there is none (any more). An unchanged entry is not written.
        """
        with self._writing() as contents:
            old = self._existing(contents, provider, account)
            new = change(old)
            if (new.provider, new.account) != (old.provider, old.account):
                raise ValueError("an update keeps the provider and the account of its entry")
            if new == old:
                return old
            new = replace(new, source="own", is_active=old.is_active)
            self._file.write(contents, put=(new,))
            return new

    def remove(self, provider: str, account: str | None = None) -> Entry | None:
        """Remove an entry (without `account` the active one) and return it; None if none could be read.

        An older store keeps its entry, but it is no longer shown. A damaged entry is removed too.
        """
        if self._file.look() is None and self._merged(None) == ():
            return None
        with self._writing() as contents:
            entry = choose(with_one_active(self._merged(contents)), provider, account)
            if entry is None:
                drop = damaged_of(contents, provider, account)
                if drop:
                    self._file.write(contents, drop=drop)
                return None
            key = (entry.provider, entry.account)
            if self._older.may_hold(key):
                self._file.write(contents, removed=(key,))
            else:
                self._file.write(contents, drop=(contents.sealer.slot(*key),))
            return entry

    def activate(self, provider: str, account: str) -> Entry:
        """Make an account of a provider the active one. Raises `NotLoggedIn` if there is no such account."""
        with self._writing() as contents:
            found = self._existing(contents, provider, account)
            chosen = replace(found, is_active=True, source="own", obtained_at=found.obtained_at or self._clock())
            self._file.write(contents, put=(chosen, *others_inactive(contents, chosen)))
            return chosen

    def reprotect(self, keys: KeySource) -> Protection:
        """Encrypt the store with a key of another source (or a new one of the same) and delete the old key."""
        with self._writing() as contents:
            self._file.rekey(contents, keys)
        protection = self.protection
        assert protection is not None
        return protection

    def set_aside(self) -> Path:
        """Move an unusable store out of the way, so that a new one can be created; return its new path."""
        with self._locked():
            state = self.state
            if state.is_usable:
                raise CredentialStoreError(f"nothing was moved: {state.words}", state=state.name)
            return self._file.set_aside(self._clock())

    def refresh_lock(
        self, provider: str, account: str, *, wait_s: float = 60.0, waited_s: float = 0.0
    ) -> AbstractContextManager[None]:
        """Hold the refresh lock of this credential, deliberately across the network. Not re-entrant.

        After `wait_s`, raises `CredentialStoreError` of state `busy`, which names the process that holds it and
        the total wait, including the `waited_s` before. It may be entered in one thread and left in another.
        """
        return self._refresh_locks.refresh(provider, account, wait_s=wait_s, waited_s=waited_s)

    def cooldown(self, provider: str, account: str) -> float | None:
        """Return the time (Unix seconds) until which no request may be sent for this credential, or None."""
        return self._refresh_locks.cooldown(provider, account, self._clock())

    def set_cooldown(self, provider: str, account: str, until: float | None) -> None:
        """Set it for all processes; None ends it. More than a day ahead counts as a wrong clock and is ignored."""
        self._refresh_locks.set_cooldown(provider, account, until)

    def _store(self, entry: Entry, *, origin: str | None, label: str) -> Entry:
        entry = replace(entry, origin=origin, label=label, obtained_at=self._clock())
        with self._writing() as contents:
            old = contents.entries.get((entry.provider, entry.account))
            if old is not None and entry.terms_acknowledged_at is None:
                entry = replace(entry, terms_acknowledged_at=old.terms_acknowledged_at)
            self._file.write(contents, put=(entry, *others_inactive(contents, entry)))
        return entry

    @contextmanager
    def _writing(self) -> Iterator[Contents]:
        """The only way to write: refuses an unreadable store, and creates one if there is none."""
        self._file.read()  # requesting the key may take long, so it happens outside the lock
        with self._locked():
            yield self._file.read(fresh=True) or self._file.start()

    def _locked(self) -> AbstractContextManager[None]:
        lock = self.path.with_name(f"{self.path.name}.lock")
        return hold(lock, f"the credential store `{self.path}`", wait_s=_WRITE_WAIT_S, poll_s=_WRITE_POLL_S)

    def _merged(self, contents: Contents | None) -> tuple[Entry, ...]:
        found = [entry for _, entry in sorted(contents.entries.items())] if contents else []
        seen: set[EntryKey] = {(entry.provider, entry.account) for entry in found}
        for entry in self._older.entries():
            key = (entry.provider, entry.account)
            if key not in seen and not (contents and contents.holds(key)):
                seen.add(key)
                found.append(entry)
        return tuple(found)

    def _existing(self, contents: Contents, provider: str, account: str | None) -> Entry:
        entry = choose(with_one_active(self._merged(contents)), provider, account)
        if entry is not None:
            return entry
        refuse_damaged(contents, provider, account)
        which = f"`{provider}`" if account is None else f"`{provider}` with the account `{account}`"
        raise NotLoggedIn(f"there is no stored credential for {which}", hint=f"llm-orc auth add {provider}")
