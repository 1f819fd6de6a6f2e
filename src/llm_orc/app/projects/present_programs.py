"""The scripts of a run that goes on: as they are now, if they may be run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.app.projects.in_force import in_force
from llm_orc.app.projects.nested import nested_in
from llm_orc.errors import EnsembleError
from llm_orc.runs.recipe import encode_ensemble

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


def with_present_programs(app: App, ensemble: Ensemble) -> Ensemble:
    """Return an ensemble of an earlier attempt such that its agents run their files as they are now.

    That is so where its file says what it said, and is the user's or trusted with the files' present content.
    """
    if ensemble.source is None or not any(needs_of(spec.work).programs for _, spec in all_agents(ensemble)):
        return ensemble
    try:
        parsed = in_force(app, app.library.load(Path(ensemble.source.path), ensemble.source.place))
        now = nested_in(app, parsed).ensemble
    except EnsembleError:
        return ensemble
    return now if _without_content(now) == _without_content(ensemble) else ensemble


def _without_content(ensemble: Ensemble) -> bytes:
    """Return the ensemble in a form that is the same whatever its scripts contain."""
    encoded = encode_ensemble(ensemble)
    for _, spec in all_agents(ensemble):
        for program in needs_of(spec.work).programs:
            for digest in program.digests.values():
                encoded = encoded.replace(digest.encode(), b"")
    return encoded
