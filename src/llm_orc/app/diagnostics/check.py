"""Find everything that is wrong with an ensemble, and what it would run; no model is called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.named_models import NONE_NAMED
from llm_orc.agents.spec import CacheUse
from llm_orc.app.access.explain import explain_access
from llm_orc.app.access.models import AccessPlan, cached_in
from llm_orc.app.projects.find_ensemble import findings_in
from llm_orc.app.projects.in_force import in_force
from llm_orc.app.projects.nested import nested_in
from llm_orc.app.projects.programs import AgentProgram, files_of, programs_of, refuse_programs
from llm_orc.app.tools.outlook import ToolOutlook, refuse_tools, tool_outlook
from llm_orc.dataclass import dataclass
from llm_orc.engine.plan import make_plan, stages
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import EnsembleInvalid, EnsembleNotFound, LlmOrcError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.named_models import NamedModels
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What is known about the ensemble `target`, a name or a path. `order` lists its agents stage by stage.

    `plan` is what a run would use, `access_error` why it can't run here: access, or a program that may not start.
    Both are None if there are problems, or if access was not looked at. `programs` are those that it would start,
    `files` those that it would write, each with its agent. `cached`: see `AccessPlan`. `tools` are
    those that its agents name, with what would happen to calls.
    """

    target: str
    ensemble: Ensemble | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    order: tuple[tuple[str, ...], ...] = ()
    plan: AccessPlan | None = None
    access_error: LlmOrcError | None = None
    programs: tuple[AgentProgram, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    cached: tuple[tuple[str, CacheUse], ...] = ()
    tools: tuple[ToolOutlook, ...] = ()

    @property
    def is_good(self) -> bool:
        """Nothing is wrong with the file and what it names. A run may still need access that is not here."""
        return not self.problems

    @property
    def can_run(self) -> bool | None:
        """None: access was not looked at."""
        if self.problems or self.access_error is not None:
            return False
        return True if self.plan is not None else None


async def check_ensemble(
    app: App,
    name_or_path: str,
    *,
    allow_metered: bool = False,
    offline: bool = False,
    models: NamedModels = NONE_NAMED,
) -> CheckReport:
    """Check the ensemble of that name or path. Raises `EnsembleNotFound`, and what wrong `models` raise;
    all other problems are in the report.

    `offline`: only read files. No key, program or server is looked at, and the values of an untrusted project
    count as if they were trusted.
    """
    try:
        parsed = in_force(app, app.library.find(name_or_path, app.environment.cwd))
    except EnsembleInvalid as e:
        return CheckReport(name_or_path, None, e.problems or (Problem(e.message, hint=e.hint),))
    nested = nested_in(app, parsed)
    ensemble = nested.ensemble
    each = findings_in(app, nested, models or None, as_if_trusted=offline)
    problems = (*nested.problems, *(problem for found in each for problem in found.problems))
    warnings = (*nested.remarks, *(warning for found in each for warning in found.warnings), *app.settings.notices)
    if nested.problems:
        return CheckReport(name_or_path, ensemble, problems, warnings)
    programs = programs_of(app, ensemble, looks=not offline)
    report = CheckReport(
        name_or_path,
        ensemble,
        problems,
        warnings,
        stages(make_plan(ensemble)),
        programs=programs,
        files=files_of(ensemble),
        cached=cached_in(ensemble),
        tools=tool_outlook(app, ensemble),
    )
    if problems or offline:
        return report
    try:
        report = replace(
            report, plan=await explain_access(app, ensemble, allow_metered=allow_metered, models=models)
        )
        refuse_programs(app, ensemble)
        refuse_tools(app, ensemble)
    except LlmOrcError as e:
        return replace(report, access_error=e)
    return report


async def check_all(
    app: App,
    targets: Sequence[str],
    *,
    allow_metered: bool = False,
    offline: bool = False,
    models: NamedModels = NONE_NAMED,
) -> list[CheckReport]:
    """Check them one after the other. One that does not exist is a problem of its report, and stops no other."""
    reports = []
    for target in targets:
        try:
            report = await check_ensemble(app, target, allow_metered=allow_metered, offline=offline, models=models)
        except EnsembleNotFound as e:
            report = CheckReport(target, None, (Problem(e.message, hint=e.hint),))
        reports.append(report)
    return reports
