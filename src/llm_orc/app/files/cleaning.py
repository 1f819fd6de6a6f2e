"""Remove the contents that no run and no conversation refers to any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.storage.contents.store import ContentStore

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.runs.journal import Journal


def remove_unused_contents(app: App, journal: Journal | None = None) -> int:
    """Return how many there were. Raises `StorageError`. `journal`: an open one; None: it is opened for this."""
    if not app.paths.files.is_dir():
        return 0

    def wanted() -> set[str]:
        return _of_runs(app, journal) | _of_conversations(app)

    return ContentStore(app.paths.files).keep(wanted)


def _of_runs(app: App, journal: Journal | None) -> set[str]:
    if journal is not None:
        return journal.files()
    if not app.paths.runs_database.exists():
        return set()
    journal = app.open_journal()
    try:
        return journal.files()
    finally:
        journal.close()


def _of_conversations(app: App) -> set[str]:
    if not app.paths.conversations_database.exists():
        return set()
    store = app.open_conversations()
    try:
        return store.files()
    finally:
        store.close()
