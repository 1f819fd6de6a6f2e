"""Which ensembles are meant by names, files and folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.ensembles.ensemble_files import ensemble_files
from llm_orc.ensembles.library import is_path
from llm_orc.errors import EnsembleInvalid, EnsembleNotFound
from llm_orc.settings.project import project_folders
from llm_orc.storage.yaml_source import regular_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.app.wiring import App

_PROJECT = ".llm-orc"
_AGENTS = re.compile(rb"""^["']?agents["']?[ ]*:""", re.MULTILINE)


def check_targets(app: App, written: Iterable[str]) -> tuple[str, ...]:
    """Return names and paths of single ensembles, each once.

    A folder stands for the ensembles below it: the files in `.llm-orc/ensembles`, and other YAML files with a key
    `agents`. Raises `EnsembleNotFound` for a folder without any.
    """
    return tuple(dict.fromkeys(target for one in written for target in _targets(app, one)))


def ensembles_here(app: App) -> tuple[str, ...]:
    """Return the files of this project's ensembles and of the user's."""
    around = app.environment
    folders = (*project_folders(around.cwd, around.home, app.paths.config), app.paths.config)
    return tuple(str(file) for folder in folders for file in ensemble_files(folder / "ensembles"))


def _targets(app: App, written: str) -> Iterator[str]:
    folder = _folder(app, written)
    if folder is None or (not is_path(written) and _is_ensemble(app, written)):
        yield written
        return
    files = [str(file) for file in _ensembles_below(folder)]
    if not files:
        raise EnsembleNotFound(
            f"the folder `{written}` has no ensembles", hint="Create one with `llm-orc new`, or name a file."
        )
    yield from files


def _folder(app: App, written: str) -> Path | None:
    try:
        folder = app.environment.cwd / Path(written).expanduser()
        return folder if folder.is_dir() else None
    except (RuntimeError, ValueError, OSError):
        return None


def _is_ensemble(app: App, name: str) -> bool:
    try:
        app.library.find(name, app.environment.cwd)
    except EnsembleNotFound:
        return False
    except EnsembleInvalid:
        pass
    return True


def _ensembles_below(folder: Path) -> Iterator[Path]:
    for file in ensemble_files(folder, also=_PROJECT):
        above = file.parts[:-1]
        if _PROJECT in above:
            inside = above[len(above) - above[::-1].index(_PROJECT) :]
            if inside[:1] == ("ensembles",):
                yield file
        elif _has_agents(file):
            yield file


def _has_agents(file: Path) -> bool:
    try:
        return _AGENTS.search(regular_bytes(file) or b"") is not None
    except OSError:
        return False
