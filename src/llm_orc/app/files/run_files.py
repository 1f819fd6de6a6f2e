"""Open the files of a run of this machine: those that were just read, and those that are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.files.run_files import RunFiles, missing
from llm_orc.storage.contents.store import ContentStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.app.wiring import App
    from llm_orc.runs.recipe import Recipe


def open_files(app: App, recipe: Recipe, contents: Mapping[str, bytes]) -> RunFiles:
    """Return the files of a run, in `contents` or stored. Raises `FileMissing` if one is in neither."""
    store = ContentStore(app.paths.files)
    for file in recipe.all_files:
        if file.sha256 not in contents and not store.has(file.sha256):
            raise missing(file)

    def load(sha256: str) -> bytes | None:
        return contents.get(sha256) or store.get(sha256)

    return RunFiles(recipe.all_files, recipe.named_files, load)
