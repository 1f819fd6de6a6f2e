"""Which runs are going on right now, in whatever process: each holds a lock of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.storage.lock import exclusive

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.app.wiring import App


def lock_of(app: App, run_id: str) -> Path:
    """Return the lock file that a process holds as long as it works on this run."""
    return app.paths.state / "running" / f"{run_id}.lock"


def is_running(app: App, run_id: str) -> bool:
    """True while a process holds the run's lock; a killed process holds none."""
    path = lock_of(app, run_id)
    if not path.exists():
        return False
    with exclusive(path) as free:
        return not free
