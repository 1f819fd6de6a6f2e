"""The store of batches: the one given by option, else by setting, else a file in the user's state folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.batches.store_url import StoreUrl, parse_store_url

if TYPE_CHECKING:
    from llm_orc.app.access.consent import Caller
    from llm_orc.app.wiring import App


def batch_store_url(app: App, named: str | None) -> StoreUrl:
    """Return the store. Raises `InputError` if `named` is not a store, or contains a password."""
    return parse_store_url(named or app.settings.batch.store, app.paths.batches_database)


def caller_of(store_url: StoreUrl) -> Caller:
    """Return where the calls of a batch in this store are made."""
    return "shared store" if store_url.is_shared else "own machine"


def is_own_store(app: App, store_url: StoreUrl) -> bool:
    """Whether it is the file in the user's own state folder, to which nobody else can write."""
    return store_url == parse_store_url(None, app.paths.batches_database)
