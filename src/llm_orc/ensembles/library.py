"""Find ensembles by name: the project's, then the user's, then the packaged ones; or by path."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.spec import Place
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.ensemble_files import ensemble_files, glance_at_name
from llm_orc.ensembles.parse import ParsedEnsemble, load_ensemble_file
from llm_orc.ensembles.surroundings import PACKAGED, SCRIPTS
from llm_orc.errors import EnsembleInvalid, EnsembleNotFound, Problem
from llm_orc.settings.project import project_folders
from llm_orc.storage.shown_path import shown_path
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.ensembles.ensemble import Ensemble

_SUFFIXES = (".yaml", ".yml")
_IN_FOLDER = re.compile(r"[^./~\\][^/\\]*(/[^./\\][^/\\]*)+")  # no step of it is hidden, or leads upward


@dataclass(frozen=True, slots=True)
class Entry:
    """One ensemble. `shadowed_by` is the file that its name finds instead."""

    name: str
    description: str
    agents: int
    place: Place
    path: Path
    shadowed_by: Path | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All ensembles, in search order, and the problems of files without a valid one."""

    entries: tuple[Entry, ...]
    broken: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()  # two files of one place with the same name


@dataclass(frozen=True, slots=True)
class _Shelf:
    """A folder of ensembles, and whose it is."""

    place: Place
    folder: Path
    shared: tuple[Path, ...] = ()


class Library:
    """Ensembles in the given folders, nearest first. Reads the files again for each query."""

    def __init__(self, projects: Sequence[Path], user: Path, packaged: Path = PACKAGED) -> None:
        self._shared = (user.parent / SCRIPTS,)
        self._shelves = (
            *(_Shelf("project", folder, self._shared) for folder in projects),
            _Shelf("user", user, self._shared),
            _Shelf("packaged", packaged),
        )

    @classmethod
    def around(cls, cwd: Path, config: Path, home: Path | None = None) -> Library:
        """Return the library as seen from `cwd`; `config` is the user's settings folder."""
        projects = project_folders(cwd, home or Path.home(), config)
        return cls([folder / "ensembles" for folder in projects], config / "ensembles")

    def find(self, name_or_path: str, cwd: Path) -> ParsedEnsemble:
        """Return the nearest ensemble of that name, or the one in that file.

        Raises `EnsembleNotFound` with the closest names, `EnsembleInvalid` if the one found is broken.
        Other files, broken or not, have no influence.
        """
        if is_path(name_or_path):
            in_folder = self._in_folder(name_or_path, cwd)
            return in_folder or _at_path(name_or_path, cwd, self._shared)
        for shelf in self._shelves:
            found = _on_shelf(shelf, name_or_path)
            if found is not None:
                return found
        raise self._not_found(name_or_path, cwd)

    def _in_folder(self, name: str, cwd: Path) -> ParsedEnsemble | None:
        """Return the ensemble `FOLDER/NAME`, whose file stands in a folder of a shelf, unless it is a path."""
        folder, _, last = name.rpartition("/")
        if not folder or not _IN_FOLDER.fullmatch(name) or last.endswith(_SUFFIXES) or (cwd / name).exists():
            return None
        for shelf in self._shelves:
            found = _on_shelf(_Shelf(shelf.place, shelf.folder / folder, self._shared), last)
            if found is not None:
                return found
        for shelf in self._shelves:  # earlier releases took the name of the file, too
            for file in (shelf.folder / f"{name}{suffix}" for suffix in _SUFFIXES):
                if _is_file(file):
                    return load_ensemble_file(file, shelf.place, self._shared)
        return None

    def load(self, path: Path, place: Place = "file") -> ParsedEnsemble:
        """Read one file as `find` does. Raises `EnsembleInvalid`."""
        return load_ensemble_file(path, place, self._shared)

    def packaged(self, name: str) -> Ensemble:
        """Return a packaged ensemble. Raises `EnsembleNotFound`."""
        shelf = self._shelves[-1]
        found = _on_shelf(shelf, name)
        if found is None:
            raise EnsembleNotFound(f"this release has no packaged ensemble called `{name}`")
        return found.ensemble

    def listing(self) -> Listing:
        """Read every file: valid ensembles and the problems of the others."""
        entries: list[Entry] = []
        broken: list[Problem] = []
        notices: list[str] = []
        first: dict[str, Entry] = {}
        for shelf in self._shelves:
            found, problems = _read_shelf(shelf)
            broken += problems
            for entry in sorted(found, key=lambda e: (e.name, e.path.stem != e.name, e.path)):
                winner = first.setdefault(entry.name, entry)
                if winner is not entry and winner.place == entry.place and shelf.folder in winner.path.parents:
                    notices.append(
                        f"two files contain `{entry.name}`: `{winner.path}` is used, not `{entry.path}`"
                    )
                entries.append(entry if winner is entry else _shadowed(entry, winner))
        return Listing(tuple(entries), tuple(broken), tuple(notices))

    def _not_found(self, name: str, cwd: Path) -> EnsembleNotFound:
        names = [
            glance_at_name(path) or path.stem for shelf in self._shelves for path in ensemble_files(shelf.folder)
        ]
        question = did_you_mean(name, names)
        hint = question or "List them with `llm-orc list-ensembles`."
        if any((cwd / f"{name}{suffix}").is_file() for suffix in _SUFFIXES):
            hint = f"There is a file of that name here: use its path, `./{name}.yaml`."
        searched = ", ".join(
            f"`{shown_path(shelf.folder)}`" for shelf in self._shelves if shelf.place != "packaged"
        )
        return EnsembleNotFound(
            f"no ensemble is called `{name[:200]}`; searched: {searched} and the packaged ones", hint=hint
        )


def is_path(name_or_path: str) -> bool:
    """True for what can't be a name: it has a separator or a YAML suffix, or starts with `~`."""
    separators = {"/", os.sep, os.altsep} - {None}
    return (
        name_or_path.startswith("~")
        or name_or_path.endswith(_SUFFIXES)
        or any(s in name_or_path for s in separators if s)
    )


def _at_path(written: str, cwd: Path, shared: tuple[Path, ...]) -> ParsedEnsemble:
    try:
        path = cwd / Path(written).expanduser()
        exists = path.exists()
    except (RuntimeError, ValueError, OSError):  # no home directory; a name that no file can have
        path, exists = cwd, False
    if exists:
        return load_ensemble_file(path, "file", shared)
    is_named = _IN_FOLDER.fullmatch(written) is not None and not written.endswith(_SUFFIXES)
    siblings = [p.name for p in path.parent.iterdir() if p.suffix in _SUFFIXES] if path.parent.is_dir() else []
    question = did_you_mean(path.name, siblings)
    raise EnsembleNotFound(
        f"there is neither an ensemble nor a file `{written[:200]}`"
        if is_named
        else f"the file `{written[:200]}` does not exist",
        hint=question or "List the ensembles with `llm-orc list-ensembles`.",
    )


def _on_shelf(shelf: _Shelf, name: str) -> ParsedEnsemble | None:
    """Read few files: the one named like the ensemble, those that seem to contain it, the unclear ones."""
    own = [path for path in (shelf.folder / f"{name}{suffix}" for suffix in _SUFFIXES) if _is_file(path)]
    for path in own:
        if glance_at_name(path) in {name, None} and (found := _if_named(path, shelf, name)):
            return found
    unclear: list[Path] = []
    for path in ensemble_files(shelf.folder):
        seen = glance_at_name(path) if path not in own else ""
        if seen is None:
            unclear.append(path)
        elif seen == name and (found := _if_named(path, shelf, name)):
            return found
    return next(_valid_of_name(unclear, shelf, name), None)


def _if_named(path: Path, shelf: _Shelf, name: str) -> ParsedEnsemble | None:
    """Return the ensemble if it has this name. Raises `EnsembleInvalid` if a file with this name is broken."""
    parsed = load_ensemble_file(path, shelf.place, shelf.shared)
    return parsed if parsed.ensemble.name == name else None


def _valid_of_name(paths: Sequence[Path], shelf: _Shelf, name: str) -> Iterator[ParsedEnsemble]:
    for path in paths:
        try:
            parsed = load_ensemble_file(path, shelf.place, shelf.shared)
        except EnsembleInvalid:
            continue
        if parsed.ensemble.name == name:
            yield parsed


def _read_shelf(shelf: _Shelf) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for path in ensemble_files(shelf.folder):
        try:
            ensemble = load_ensemble_file(path, shelf.place, shelf.shared).ensemble
        except EnsembleInvalid as e:
            problems += e.problems
        else:
            entries.append(
                Entry(ensemble.name, ensemble.description, len(ensemble.agents), shelf.place, path.absolute())
            )
    return entries, problems


def _shadowed(entry: Entry, winner: Entry) -> Entry:
    return Entry(entry.name, entry.description, entry.agents, entry.place, entry.path, winner.path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
