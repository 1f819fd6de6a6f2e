"""Results of tools that are too long for a model: whole, in files of their run, which go with its record."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from llm_orc.errors import StorageError
from llm_orc.net.late_loop import in_thread
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.tools.results import SpillResult
    from llm_orc.app.wiring import App
    from llm_orc.runs.journal import Journal

_LONGEST_NAME = 150  # characters of an agent's path in the name of a file


def spill_of(app: App, run_id: str) -> SpillResult:
    """Return what writes the whole results of a recorded run, each to a private file of its own.

    A result that can't be written, as on a full disk, is told to the model all the same.
    """
    folder = app.paths.results / run_id

    async def spill(agent: AgentPath, number: int, text: str) -> str:
        file = folder / f"{quote(agent, safe='[]')[-_LONGEST_NAME:]}-{number}.txt"
        try:
            await in_thread(write_private, file, text.encode())
        except StorageError:
            return ""
        return str(file)

    return spill


def remove_spilled(app: App, journal: Journal) -> int:
    """Remove the results of runs that are not in the journal any more; return of how many runs."""
    if not app.paths.results.is_dir():
        return 0
    gone = [folder for folder in app.paths.results.iterdir() if journal.run(folder.name) is None]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return len(gone)
