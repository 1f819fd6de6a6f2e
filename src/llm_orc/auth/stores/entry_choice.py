"""Which entry of a provider counts, and the messages about unreadable entries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.auth.stores.envelope import provider_of
from llm_orc.errors import CredentialStoreError

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.auth.credential import Entry
    from llm_orc.auth.stores.encrypted_file import Contents


def choose(entries: tuple[Entry, ...], provider: str, account: str | None) -> Entry | None:
    """Return the entry of an account, for None the provider's active one."""
    for entry in entries:
        if entry.provider == provider and (entry.is_active if account is None else entry.account == account):
            return entry
    return None


def with_one_active(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Order entries: our own before older ones; if none or several are marked active, the first is."""
    active: dict[str, Entry] = {}
    for entry in entries:
        known = active.get(entry.provider)
        if known is None or (entry.is_active and entry.source == "own" and not known.is_active):
            active[entry.provider] = entry
    return tuple(
        entry
        if entry.is_active == (chosen := active[entry.provider] is entry)
        else replace(entry, is_active=chosen)
        for entry in entries
    )


def others_inactive(contents: Contents, chosen: Entry) -> tuple[Entry, ...]:
    """Return the provider's other active entries, as inactive ones."""
    return tuple(
        replace(entry, is_active=False)
        for entry in contents.entries.values()
        if entry.provider == chosen.provider and entry.account != chosen.account and entry.is_active
    )


def damaged_of(contents: Contents, provider: str, account: str | None) -> tuple[str, ...]:
    """Return the slots of damaged entries, for None those of all the provider's accounts."""
    if account is not None:
        return tuple(slot for slot in contents.damaged if slot == contents.sealer.slot(provider, account))
    return tuple(slot for slot in contents.damaged if provider_of(slot) == provider)


def unreadable_of(contents: Contents, provider: str, path: Path) -> tuple[str, ...]:
    """Say of each entry of the provider that can't be read why."""
    damaged = [slot for slot in contents.damaged if provider_of(slot) == provider]
    strange = [slot for slot in contents.strange if provider_of(slot) == provider]
    return (
        *(f"an entry of `{provider}` in `{path}` is damaged and can't be read" for _ in damaged),
        *(f"an entry of `{provider}` in `{path}` is of a newer release and can't be interpreted" for _ in strange),
    )


def refuse_damaged(contents: Contents, provider: str, account: str | None) -> None:
    """Raise `CredentialStoreError` where an entry that may be meant is damaged."""
    if damaged_of(contents, provider, account):
        raise CredentialStoreError(
            f"an entry of `{provider}` in the credential store is damaged",
            state="corrupt",
            hint=f"Add it again: `llm-orc auth add {provider}`; or delete it: `llm-orc auth remove {provider}`.",
        )
