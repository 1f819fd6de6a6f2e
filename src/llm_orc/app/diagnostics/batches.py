"""The batches with rows that wait, in the store that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.batches.store import batch_store_url
from llm_orc.app.diagnostics.unfinished import BatchesSeen
from llm_orc.batches.glance import glance_at, is_worked_on
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


def seen_batches(app: App) -> BatchesSeen | None:
    """Look at the batches, without asking a server. None: there is no store yet."""
    store = batch_store_url(app, None)
    if store.path is None:
        return BatchesSeen(str(store), None)
    if not store.path.exists():
        return None
    try:
        return BatchesSeen(str(store), glance_at(store.path, app.clock.now()), is_worked_on(store.path))
    except StorageError as e:
        return BatchesSeen(str(store), None, problem=e.message)
