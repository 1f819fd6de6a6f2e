"""Find an ensemble that can be run: it is valid, what it names exists, and its options are allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.agents.named_models import Replacing
from llm_orc.agents.work import ModelWork
from llm_orc.app.projects.in_force import in_force
from llm_orc.ensembles.check import check
from llm_orc.errors import EnsembleInvalid
from llm_orc.errors.problem import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.named_models import NamedModels
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.ensembles.parse import ParsedEnsemble
    from llm_orc.settings.model import Settings


def find_ensemble(
    app: App,
    name_or_path: str,
    notice: Callable[[str], None] = lambda _sentence: None,
    *,
    models: NamedModels | None = None,
) -> Ensemble:
    """Return the ensemble of that name or path; `notice` is called about keys that this release ignores.

    With `models` it is found for a run with them: it may name profiles in their place that there are not here.

    Raises `EnsembleNotFound` with the closest names, `EnsembleInvalid` with every problem and its position, and
    what wrong `models` raise.
    """
    parsed = in_force(app, app.library.find(name_or_path, app.environment.cwd))
    found = check(as_run_with(parsed.when_trusted(), app.settings, models), app.settings)
    if found.problems:
        raise EnsembleInvalid(
            f"ensemble `{parsed.ensemble.name}` can't be used with your settings: {count_of(found.problems)}",
            problems=found.problems,
            hint=f"llm-orc check {name_or_path}",
        )
    for ignored in parsed.ignored:
        notice(str(ignored))
    return parsed.ensemble


def as_run_with(parsed: ParsedEnsemble, settings: Settings, models: NamedModels | None) -> ParsedEnsemble:
    """Return the ensemble with the models that were named, or that the settings name; None: as its file says."""
    if models is None:
        return parsed
    ensemble = parsed.ensemble
    asking = [path for path, spec in all_agents(ensemble) if needs_of(spec.work).models]
    replacing = Replacing(settings, models, asking, ensemble.name)

    def asked(spec: AgentSpec) -> AgentSpec:
        work = spec.work
        return replace(spec, work=replacing.replaced(spec.name, work)[0]) if isinstance(work, ModelWork) else spec

    agents = map(asked, ensemble.agents)
    return replace(parsed, ensemble=replace(ensemble, agents=tuple(agents)))
