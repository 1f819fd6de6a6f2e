"""Stored credentials: those that the user added with `auth add`, and separately those of an earlier release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.credential import ApiKey, Entry
from llm_orc.auth.key_check import checked_key_text
from llm_orc.auth.sources.source import FoundCredential, Places, Wanted
from llm_orc.auth.standing import Standing, StandingName, standing_of, ungranted, why_no_renewal
from llm_orc.errors import CredentialStoreError, KeyMalformed

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATES: dict[str, StandingName] = {"corrupt": "corrupt", "foreign": "corrupt"}


def in_store(wanted: Wanted, places: Places) -> Iterator[FoundCredential]:
    """Return our store's credentials: the active account, then unreadable entries, then inactive accounts."""
    path = f"credential store {places.storage.path}"
    try:
        stored = places.storage.of(wanted.provider)
    except CredentialStoreError as e:
        hint = e.hint or f"Look at it: `ls -l {places.storage.path}`."
        standing = Standing(_STATES.get(e.state, "locked"), e.message, hint, e)
        yield FoundCredential("store", None, path, path, standing, is_set_up=True)
        return
    own = [entry for entry in stored.entries if entry.is_set_up]
    yield from (_entry(entry, wanted, places, path) for entry in own if entry.is_active)
    for words in stored.unreadable:
        yield FoundCredential("store", None, path, path, _damaged(wanted.provider, words), is_set_up=True)
    yield from (_entry(entry, wanted, places, path) for entry in own if not entry.is_active)


def in_older_store(wanted: Wanted, places: Places) -> Iterator[FoundCredential]:
    """Return those of earlier releases, read in place; a refreshed one is in our store, still only found."""
    try:
        stored = places.storage.of(wanted.provider)
    except CredentialStoreError:
        return  # `in_store` reports it
    for entry in stored.entries:
        if not entry.is_set_up:
            how = "read only" if entry.source == "older-store" else "refreshed since"
            yield _entry(entry, wanted, places, f"an older store, {how}")


def _entry(entry: Entry, wanted: Wanted, places: Places, where: str) -> FoundCredential:
    is_key = isinstance(entry.credential, ApiKey)
    label = f"{'stored API key' if is_key else 'sign-in'} (account `{entry.account}`)"
    if not entry.is_set_up:
        label = f"{'API key' if is_key else 'sign-in'} of an earlier release"
    return FoundCredential(
        "store" if entry.is_set_up else "older-store",
        "api-key" if is_key else "oauth",
        where,
        label,
        _standing(entry, wanted, places, label),
        is_set_up=entry.is_set_up,
        is_active=entry.is_active,
        entry=entry,
    )


def _standing(entry: Entry, wanted: Wanted, places: Places, label: str) -> Standing:
    origin = entry.origin or wanted.origin
    if isinstance(entry.credential, ApiKey):
        try:
            checked_key_text(entry.credential.key.reveal(), f"the {label} of `{wanted.provider}`", origin)
        except KeyMalformed as e:
            hint = f"{e.hint or ''} Add it again: `llm-orc auth add {wanted.provider}`.".strip()
            return Standing("corrupt", e.message, hint, KeyMalformed(e.message, hint=hint))
    if (lacking := ungranted(entry, wanted.required_scopes)) is not None:
        return lacking
    no_renewal = why_no_renewal(entry, wanted.client_id, has_endpoint=wanted.can_exchange)
    return standing_of(entry, places.clock(), origin, places.refusals, no_renewal)


def _damaged(provider: str, words: str) -> Standing:
    hint = f"Add it again: `llm-orc auth add {provider}`; or delete it: `llm-orc auth remove {provider}`."
    return Standing("damaged", words, hint, CredentialStoreError(words, state="corrupt", hint=hint))
