"""Copy API keys found on this machine, and the sign-ins of earlier releases, into the encrypted store.

Looking changes nothing. Copying reads each copy back. `rollback` removes and restores the old locations.
"""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llm_orc.app.access.credentials import older_stores, open_credentials
from llm_orc.app.migration.scan import FoundVariable, PlaceKind, find_variables
from llm_orc.auth.access import Billing
from llm_orc.auth.credential import DEFAULT_ACCOUNT, ApiKey, Entry, OAuthToken
from llm_orc.auth.methods.api_key import checked_key
from llm_orc.catalog.table import PROVIDERS
from llm_orc.dataclass import dataclass
from llm_orc.errors import CredentialStoreError, InputError, LlmOrcError
from llm_orc.providers.endpoint import billing_of, endpoint_of
from llm_orc.providers.lookup import find_provider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.app.wiring import App
    from llm_orc.auth.storage import CredentialStorage

FoundState = Literal["copy", "already-there", "differs", "not-understood", "left"]
_LONG_KEY = 20  # characters; of a shorter key, four would reveal too much


@dataclass(frozen=True, slots=True)
class Found:
    """One key or sign-in, its location, and what would happen to it. `entry` is what would be stored.

    `copy`: it would be copied; `already-there`: the store has the same; `differs`: the store has another;
    `not-understood`: it can't be read or used; `left`: the settings name this very location. `why` is a sentence.
    """

    provider: str
    kind: PlaceKind
    state: FoundState
    why: str
    variable: str = ""
    file: Path | None = None
    line: int = 0
    entry: Entry | None = field(default=None, repr=False)
    replaces: bool = False  # copied in place of the credential that the store has

    @property
    def place(self) -> str:
        """The location as written on a command line: `NAME`, or `FILE:LINE`."""
        return self.variable if self.file is None else self.where

    @property
    def where(self) -> str:
        if self.file is None:
            return f"variable {self.variable}"
        return f"{self.file}:{self.line}" if self.line else str(self.file)

    @property
    def hint(self) -> str:
        """The last four characters of a long key; nothing of a short one, or of a sign-in."""
        if self.entry is None or not isinstance(self.entry.credential, ApiKey):
            return ""
        text = self.entry.credential.key.reveal()
        return f"…{text[-4:]}" if len(text) >= _LONG_KEY else ""

    @property
    def is_kept(self) -> bool:
        """True if the store has the same, so that the old location is no longer needed."""
        return self.state == "already-there"


def look(app: App) -> tuple[Found, ...]:
    """Return what can be migrated. Raises `CredentialStoreError` if our own store can't be read."""
    storage = open_credentials(app)
    _refuse_unusable(storage)
    entries = storage.entries()
    found = [*_in_older_stores(app, entries)]
    wanted: dict[str, ApiKey] = {}
    variables = _variables(app)
    found += (
        _judged(app, place, variables[place.name], entries, wanted)
        for place in find_variables(app.environment, variables)
    )
    return tuple(_without_rivals(found))


def replacing(found: Iterable[Found], places: Iterable[str], cwd: Path) -> tuple[Found, ...]:
    """Return `found` with those at `places` marked to replace what the store has.

    Raises `InputError` if a location has nothing different, or two locations are of one account.
    """
    every = tuple(found)
    for place in places:
        chosen = [one for one in every if place in {one.place, one.where} or _is_at(one, place, cwd)]
        if not any(one.state in {"differs", "copy"} for one in chosen):
            known = ", ".join(f"`{one.place}`" for one in every if one.state == "differs") or "none"
            raise InputError(
                f"there is no other key at `{place}`",
                hint=f"Locations with a key that differs from the store's: {known}.",
            )
        every = tuple(
            replace(one, state="copy", why="would replace the credential in the store", replaces=True)
            if one in chosen and one.state in {"differs", "copy"} and one.entry is not None
            else one
            for one in every
        )
    _refuse_two_for_one(every)
    return every


def _is_at(found: Found, place: str, cwd: Path) -> bool:
    file, _, line = place.rpartition(":")
    return found.file is not None and bool(file) and found.file == cwd / file and line == str(found.line)


def _refuse_two_for_one(found: tuple[Found, ...]) -> None:
    replacing: dict[tuple[str, str], Found] = {}
    for one in found:
        if not one.replaces or one.entry is None:
            continue
        other = replacing.setdefault((one.provider, one.entry.account), one)
        if other.entry is not None and other.entry.credential != one.entry.credential:
            raise InputError(
                f"`{other.place}` and `{one.place}` have different keys of `{one.provider}`; one can be stored",
                hint="Name one of them.",
            )


def copy(app: App, found: Iterable[Found]) -> tuple[Found, ...]:
    """Copy what is marked and read each copy back from the disk. Returns all of `found` in their new state.

    If another process was faster with another key, that one stays. Raises `CredentialStoreError`.
    """
    return tuple(_copied(app, one) if one.state == "copy" else one for one in found)


def is_in_store(app: App, found: Found) -> bool:
    """Read the store again from the disk: does it contain this very credential itself?"""
    if found.entry is None:
        return False
    return any(
        entry.source == "own" and entry.provider == found.provider and entry.credential == found.entry.credential
        for entry in open_credentials(app).entries()
    )


def _copied(app: App, found: Found) -> Found:
    assert found.entry is not None
    storage = open_credentials(app)
    standing = storage.keep(found.entry) if found.replaces else storage.keep_if_free(found.entry)
    if standing.credential != found.entry.credential:
        return replace(found, state="differs", why="another credential was stored meanwhile; it stays")
    if not is_in_store(app, found):
        raise CredentialStoreError(
            f"the copy for `{found.provider}` could not be read back from the store; {found.where} is unchanged",
            state="unwritable",
            hint="llm-orc auth status",
        )
    return replace(found, state="already-there", why="copied, and read back from the store")


def _refuse_unusable(storage: CredentialStorage) -> None:
    state = storage.state
    if not state.is_usable:
        raise CredentialStoreError(state.words, state=state.name, hint=state.hint)


def _variables(app: App) -> dict[str, str]:
    """Return each variable that may contain a key, with its provider; of two, the effective one comes first."""
    variables: dict[str, str] = {}
    for name in (*PROVIDERS, *app.settings.providers):
        try:
            spec = find_provider(name, app.settings.providers)
        except LlmOrcError:  # a provider with an incomplete description
            continue
        for variable in (*spec.api_key_env, *(PROVIDERS[name].api_key_env if name in PROVIDERS else ())):
            variables.setdefault(variable, name)
    return variables


def _judged(
    app: App, place: FoundVariable, provider: str, entries: tuple[Entry, ...], wanted: dict[str, ApiKey]
) -> Found:
    found = Found(provider, place.kind, "not-understood", place.why, place.name, place.file, place.line)
    if place.value is None:
        return found
    try:
        spec = find_provider(provider, app.settings.providers)
        origin = endpoint_of(spec, app.settings.providers, has_credential=True).origin
        key = checked_key(place.value, "this location", origin)
        entry = _entry(app, provider, key)
    except LlmOrcError as e:
        return replace(found, why=e.message)
    state, why = _fate(app, provider, key, entries, wanted)
    return replace(found, entry=entry, state=state, why=why)


def _fate(
    app: App, provider: str, key: ApiKey, entries: tuple[Entry, ...], wanted: dict[str, ApiKey]
) -> tuple[FoundState, str]:
    own = app.settings.providers.get(provider)
    if own is not None and (own.api_key_env or own.api_key_file):
        return "left", f"the settings name the source of the key of `{provider}`, which takes precedence"
    stored = [e for e in entries if e.provider == provider]
    if same := [e for e in stored if e.credential == key]:
        where = "the store" if any(e.source == "own" for e in same) else "the store of an earlier release"
        return "already-there", f"{where} has this key"
    if stored:
        return "differs", f"the store has another credential for `{provider}`; it stays"
    if wanted.setdefault(provider, key) != key:
        return "differs", f"another location has a different key of `{provider}`"
    return "copy", "would be copied into the store"


def _entry(app: App, provider: str, key: ApiKey) -> Entry:
    spec = find_provider(provider, app.settings.providers)
    endpoint = endpoint_of(spec, app.settings.providers, has_credential=True)
    return Entry(provider, DEFAULT_ACCOUNT, key, billing_of(spec, endpoint), origin=endpoint.origin)


def _without_rivals(found: list[Found]) -> Iterable[Found]:
    """If locations differ, only the environment's value can be chosen: it is what runs use today."""
    disputed = {
        one.provider
        for one in found
        if one.state == "differs" and any(o.state == "copy" and o.provider == one.provider for o in found)
    }
    for one in found:
        in_use = any(o.kind == "environment" and o.provider == one.provider and o.state == "copy" for o in found)
        if one.state == "copy" and one.provider in disputed and not in_use:
            yield replace(one, state="differs", why=f"another location has a different key of `{one.provider}`")
        else:
            yield one


def _in_older_stores(app: App, entries: tuple[Entry, ...]) -> Iterable[Found]:
    own = {(e.provider, e.account): e for e in entries if e.source == "own"}
    visible = {(e.provider, e.account): e for e in entries}
    for store in older_stores(app):
        for entry in store.read().entries:
            found = Found(entry.provider, "older-store", "copy", "", file=store.path, entry=entry)
            key = (entry.provider, entry.account)
            if key in own:
                yield _beside_own(found, own[key])
            elif key not in visible:
                yield replace(found, state="already-there", why="removed or replaced here; it is not used")
            elif visible[key].credential != entry.credential:
                yield replace(found, state="differs", why="a newer store of an earlier release has another")
            else:
                is_token = isinstance(entry.credential, OAuthToken)
                more = "; the earlier release's own sign-in may end when it is refreshed here" if is_token else ""
                yield replace(found, entry=visible[key], why=f"is already read in place; can be copied{more}")


def _beside_own(found: Found, own: Entry) -> Found:
    assert found.entry is not None
    if not own.is_set_up:
        return replace(found, entry=own, why="was copied when it was refreshed; this makes it yours")
    if own.credential == found.entry.credential:
        return replace(found, state="already-there", why="the store has the same")
    if own.refreshed_at is not None:
        return replace(found, state="already-there", why="the store has it, refreshed since")
    return replace(
        found, state="differs", why=f"the store has another credential for `{found.provider}`; it stays"
    )


def billing_words(found: Iterable[Found]) -> tuple[str, ...]:
    """Say how copying changes who pays, in a sentence for each provider; shown before asking."""
    said: dict[str, str] = {}
    for one in found:
        if one.state != "copy" or one.entry is None:
            continue
        if one.kind == "older-store":
            said.setdefault(one.provider, _of_older(one.entry))
        elif one.entry.billing is Billing.METERED:
            said.setdefault(
                one.provider,
                f"`{one.provider}` is metered: billed per token. A key that is only found needs your consent; a"
                " stored key is your choice, so agents that name no model may use it without asking.",
            )
        else:
            said.setdefault(one.provider, f"`{one.provider}` costs nothing per call; who pays doesn't change.")
    return tuple(said.values())


def _of_older(entry: Entry) -> str:
    """The copy turns what was only found into the user's choice."""
    if entry.billing is Billing.METERED:
        return (
            f"`{entry.provider}` is metered: billed per token. What an earlier release left needs your consent;"
            " the copy is your choice, so agents that name no model may use it without asking."
        )
    return (
        f"`{entry.provider}` is paid for as before. What an earlier release left ranks after all that you set up"
        " and after the provider's own program; the copy counts as set up by you, and ranks before that program."
    )
