"""Trust a project: see which values of its files need trust, allow them, withdraw the trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.projects.in_force import places_of
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.ensemble_files import ensemble_files
from llm_orc.errors import EnsembleInvalid, SettingsError
from llm_orc.settings.guard import GuardedValue
from llm_orc.settings.load import read_guarded
from llm_orc.settings.project import project_folders
from llm_orc.settings.trust import SETTINGS, Parts

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class TrustView:
    """A project, whether its present files are trusted, and all values in them that need trust.

    `parts` is what would be stored: for each directory the digest of its settings and of each ensemble.
    """

    root: Path
    trusted: bool
    guarded: tuple[GuardedValue, ...]
    parts: Mapping[Path, Parts]


def view_trust(app: App, place: Path) -> TrustView:
    """Examine the project around a directory, or one ensemble's file in a project.

    Raises `SettingsError` if `place` is in no project, or the project's settings can't be read,
    `EnsembleInvalid` if the file can't. Broken ensembles of a directory are left out: they can't be run.
    """
    view = _view_file(app, place) if place.is_file() else _view_directory(app, place)
    parts = ((root, part, digest) for root, parts in view.parts.items() for part, digest in parts.items())
    return replace(view, trusted=all(app.trust.is_trusted(*part) for part in parts))


def trust_directory(app: App, place: Path, seen: TrustView) -> TrustView:
    """Trust the project for what `seen` showed. Raises `SettingsError` if its files have changed since."""
    view = view_trust(app, place)
    if view.parts != seen.parts:
        raise SettingsError("the project's files have changed since they were shown", hint="llm-orc trust")
    for root, parts in view.parts.items():
        app.trust.trust(root, parts)
    return view_trust(app, place)


def distrust_directory(app: App, directory: Path) -> bool:
    """Withdraw the trust in the project; return whether it was trusted. The directory itself may be gone."""
    directory = directory.resolve()
    roots = [directory, *directory.parents]
    return any(app.trust.forget(root) for root in roots)


def trusted_directories(app: App) -> tuple[Path, ...]:
    return tuple(entry.root for entry in app.trust.listing())


def _view_directory(app: App, directory: Path) -> TrustView:
    around = app.environment
    settings = read_guarded(app.paths, directory, around.environ, home=around.home)
    if settings is None:
        raise SettingsError(
            f"`{directory}` is not in a project: neither it nor a folder above it has a `.llm-orc` folder",
            hint="Only projects need trust; your own files don't.",
        )
    guarded = [*settings.values]
    parts: dict[Path, Parts] = {settings.root: {SETTINGS: settings.digest}}
    for folder in project_folders(directory, around.home, app.paths.config):
        for file in ensemble_files(folder / "ensembles"):
            try:
                parsed = app.library.load(file, "project")
            except EnsembleInvalid:
                continue
            guarded += parsed.guarded
            for root, part in places_of(app, file):
                parts.setdefault(root, {})[part] = parsed.digest
    return TrustView(settings.root, False, tuple(guarded), parts)


def _view_file(app: App, file: Path) -> TrustView:
    parsed = app.library.load(file)
    places = places_of(app, file.absolute())
    if not places:
        raise SettingsError(
            f"`{file}` is in no project: it counts as your own", hint="Only files in a project need trust."
        )
    parts: dict[Path, Parts] = {root: {part: parsed.digest} for root, part in places}
    return TrustView(places[0][0], False, parsed.guarded, parts)
