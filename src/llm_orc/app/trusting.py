"""Trust a project directory: see what its files would set, allow it, take it back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import SettingsError
from llm_orc.settings.guard import GuardedProject, GuardedValue
from llm_orc.settings.load import read_guarded

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class TrustView:
    """A project, whether it is trusted as its files are now, and what that allows it to set."""

    root: Path
    trusted: bool
    guarded: tuple[GuardedValue, ...]


def view_trust(app: App, directory: Path) -> TrustView:
    """Raises `SettingsError` where `directory` is in no project, or its files can't be read."""
    project = _project(app, directory)
    return TrustView(project.root, app.trust.is_trusted(project.root, project.digest), project.values)


def trust_directory(app: App, directory: Path, seen: TrustView) -> TrustView:
    """Trust the project for what `seen` showed. Raises `SettingsError` where its files have changed since."""
    project = _project(app, directory)
    if project.values != seen.guarded:
        raise SettingsError("the project's files changed while you looked", hint="llm-orc trust")
    app.trust.trust(project.root, project.digest)
    return view_trust(app, directory)


def distrust_directory(app: App, directory: Path) -> bool:
    """Forget that the project is trusted; returns whether it was. The directory itself may be gone."""
    roots = [directory, *directory.parents]
    return any(app.trust.forget(root) for root in roots)


def trusted_directories(app: App) -> tuple[Path, ...]:
    return tuple(entry.root for entry in app.trust.listing())


def _project(app: App, directory: Path) -> GuardedProject:
    project = read_guarded(app.paths, directory, app.surroundings.environ)
    if project is None:
        raise SettingsError(
            f"there is no project in `{directory}`: neither it nor a folder above has a `.llm-orc` folder",
            hint="Only projects need trust; your own files have it.",
        )
    return project
