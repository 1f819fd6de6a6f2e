"""Find an ensemble that can be run: it is valid, what it names exists, and its options are allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.agents.named_models import Replacing
from llm_orc.agents.work import ModelWork
from llm_orc.app.projects.in_force import in_force
from llm_orc.app.projects.nested import nested_in
from llm_orc.ensembles.check import check
from llm_orc.errors import EnsembleInvalid
from llm_orc.errors.problem import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.named_models import NamedModels
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.check import Findings
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.ensembles.nested import Nested
    from llm_orc.ensembles.parse import ParsedEnsemble


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
    found = nested_in(app, parsed)
    problems = [*found.problems, *(p for one in findings_in(app, found, models) for p in one.problems)]
    if problems:
        raise EnsembleInvalid(
            f"ensemble `{parsed.ensemble.name}` can't be used with your settings: {count_of(problems)}",
            problems=problems,
            hint=f"llm-orc check {name_or_path}",
        )
    for file in found.files:
        for ignored in file.ignored:
            notice(str(ignored))
    for remark in found.remarks:
        notice(str(remark))
    return found.ensemble


def findings_in(
    app: App, nested: Nested, models: NamedModels | None, *, as_if_trusted: bool = False
) -> list[Findings]:
    """Return what `check` finds in each file, as if all were trusted, and as the ensemble is run with `models`.

    `models` None: as the files say. Raises what wrong `models` raise.
    """
    settings = app.settings
    files = [file.when_trusted() for file in nested.files]
    if models is not None and not nested.problems:
        asking = [path for path, spec in all_agents(nested.ensemble) if needs_of(spec.work).models]
        replacing = Replacing(settings, models, asking, nested.ensemble.name)
        files = [_as_run_with(file, replacing, is_outermost=not i) for i, file in enumerate(files)]
    return [check(file, settings, as_if_trusted=as_if_trusted) for file in files]


def _as_run_with(parsed: ParsedEnsemble, replacing: Replacing, *, is_outermost: bool) -> ParsedEnsemble:
    """Return the ensemble with the models that take the place of its own; within another, with those for all."""

    def asked(spec: AgentSpec) -> AgentSpec:
        work = spec.work
        if not isinstance(work, ModelWork):
            return spec
        return replace(spec, work=replacing.replaced(spec.name if is_outermost else "", work)[0])

    agents = map(asked, parsed.ensemble.agents)
    return replace(parsed, ensemble=replace(parsed.ensemble, agents=tuple(agents)))
