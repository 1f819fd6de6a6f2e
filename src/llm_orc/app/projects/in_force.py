"""Which values of a project's files take effect: trusted ones, and those that cost and change nothing."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import sources_of
from llm_orc.settings.project import project_folders, roots_of

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.ensembles.parse import ParsedEnsemble

_MOST_SHOWN = 8  # keys in one notice


def in_force(app: App, parsed: ParsedEnsemble) -> ParsedEnsemble:
    """Return the effective part of an ensemble: all of it if the file is the user's, in no project, or trusted."""
    source = parsed.ensemble.source
    if source is None or source.is_users:
        return parsed
    places = places_of(app, Path(source.path))
    if not places and source.place == "project":
        return parsed
    trusted = all(app.trust.is_trusted(root, part, parsed.digest) for root, part in places)
    return parsed.when_trusted() if trusted else parsed


def trust_place(app: App, place: str) -> Path:
    """Return what to trust for a value in `place`, a file or `FILE:LINE`: the project here, or that file."""
    around = app.environment
    folders = project_folders(around.cwd, around.home, app.paths.config)
    is_here = any(place.startswith((f"{folder}/", f"{folder}\\")) for folder in folders)
    return around.cwd if is_here else Path(place)


def trust_command(app: App, place: str) -> str:
    """Return the command that shows and allows the values in `place`."""
    found = trust_place(app, place)
    return "llm-orc trust" if found == app.environment.cwd else f"llm-orc trust {quote(str(found))}"


def without_trust(app: App, ensemble: Ensemble | None = None) -> str | None:
    """List in one sentence the values of the settings here, and of `ensemble`, without effect; None: none."""
    withheld = [f"`{one.key}` ({one.origin})" for one in app.settings.withheld]
    command = "llm-orc trust"
    for source in () if ensemble is None else sources_of(ensemble):
        if source.withheld:
            withheld += [f"`{key}` ({source.path})" for key in source.withheld]
            command = trust_command(app, source.path)
    if not withheld:
        return None
    more = f" and {len(withheld) - _MOST_SHOWN} more" if len(withheld) > _MOST_SHOWN else ""
    return f"Without your trust, these have no effect: {', '.join(withheld[:_MOST_SHOWN])}{more}. See `{command}`."


def places_of(app: App, file: Path) -> tuple[tuple[Path, str], ...]:
    """Return the projects that a file is in, with its name in each."""
    around = app.environment
    named, real = file.absolute(), file.resolve()
    roots = roots_of(named, around.home, app.paths.config)
    return tuple((root, _part(root, named if root in named.parents else real)) for root in roots)


def _part(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix() if root in file.parents else str(file)
