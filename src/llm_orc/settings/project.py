"""Find the `.llm-orc` folders that belong to a working directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.settings.layer import layer_files

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ".llm-orc"


def home_directory(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())


def project_folders(cwd: Path, home: Path, config: Path | None = None) -> tuple[Path, ...]:
    """Return the `.llm-orc` folders from `cwd` upward, nearest first.

    `~/.llm-orc` is where the oldest releases kept the user's own files, so it is no project's; nor is `config`.
    """
    own = {(home / FOLDER).resolve()} | ({config.resolve()} if config else set())
    start = cwd.resolve()
    candidates = (directory / FOLDER for directory in (start, *start.parents))
    return tuple(folder for folder in candidates if _is_folder(folder) and folder.resolve() not in own)


def settings_folder(folders: tuple[Path, ...]) -> Path | None:
    """Return the nearest folder that holds settings, else the nearest of all."""
    return next((f for f in folders if layer_files(f)), folders[0] if folders else None)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
