"""Find the `.llm-orc` folders that belong to a working directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.settings.layer import layer_files

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ".llm-orc"
_CHECKOUT_MARKS = (".git", ".hg", ".svn", ".jj", "_darcs")


def home_directory(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())


def project_folders(cwd: Path, home: Path, config: Path | None = None) -> tuple[Path, ...]:
    """Return the `.llm-orc` folders from `cwd` upward, nearest first.

    `~/.llm-orc` has the user's own files of the oldest releases, so it is no project's; nor is `config`.
    """
    own = _users_folders(home, config)
    start = cwd.resolve()
    candidates = (directory / FOLDER for directory in (start, *start.parents))
    return tuple(folder for folder in candidates if _is_folder(folder) and folder.resolve() not in own)


def roots_of(file: Path, home: Path, config: Path) -> tuple[Path, ...]:
    """Return the directory of each project that `file` is in, by name and after following links: none, one or two.

    A project has a `.llm-orc` folder, or is a checkout of a repository: anyone may have written its files. A home
    directory, its parents and a root are never a checkout; the user's own folders are no project.
    """
    own = _users_folders(home, config)
    named, real = Path(os.path.normpath(file)), file.resolve()
    if config in named.parents:  # a link there is the user's own, whatever its target
        return ()
    found = (_root_of(path, home.resolve(), own) for path in dict.fromkeys((named, real)))
    return tuple(dict.fromkeys(root for root in found if root is not None))


def _root_of(file: Path, home: Path, own: frozenset[Path]) -> Path | None:
    if not own.isdisjoint(file.parents):
        return None
    for folder in file.parents:
        if folder.name == FOLDER:
            return folder.parent
    is_below_home = True  # or beside it; the home and its parents are no checkout
    for folder in file.parents:
        inside = folder / FOLDER
        if _is_folder(inside) and inside.resolve() not in own:
            return folder
        is_below_home = is_below_home and folder.resolve() != home
        is_root = folder == folder.parent
        if is_below_home and not is_root and any(os.path.lexists(folder / mark) for mark in _CHECKOUT_MARKS):
            return folder
    return None


def _users_folders(home: Path, config: Path | None) -> frozenset[Path]:
    return frozenset({(home / FOLDER).resolve()} | ({config.resolve()} if config else set()))


def settings_folder(folders: tuple[Path, ...]) -> Path | None:
    """Return the nearest folder with settings, else the nearest of all."""
    return next((f for f in folders if layer_files(f)), folders[0] if folders else None)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
