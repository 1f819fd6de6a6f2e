"""What the releases of schema 1 stored: a journal of runs and a store of batches, as SQL text.

The journal has a run that ended, with every event that there was, and one that was interrupted. The batch has a row
that has ended, one whose last agent was being asked when its process was killed, one that was at its beginning,
and one whose input is none.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

HERE = Path(__file__).parent
BATCH_ID = "b8f6f04023e1e"


def restored(name: str, path: Path) -> Path:
    """Write the store of that name (`runs`, `batches`) to a database at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (HERE / f"{name}_of_schema_1.sql").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)
    return path
