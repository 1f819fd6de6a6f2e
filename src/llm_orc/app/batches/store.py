"""Which store of batches is meant: what the person named, else the setting, else a file of the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.batches.store_url import Place, place_of

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


def batch_place(app: App, named: str | None) -> Place:
    """Raises `InputError` where what was named is no store, or holds a password."""
    return place_of(named or app.settings.batch.store, app.paths.batches_database)


def is_own_store(app: App, place: Place) -> bool:
    """Is it the file in the user's own state folder, which nobody else can have written to?"""
    return place == place_of(None, app.paths.batches_database)
