"""Find everything that is wrong with an ensemble, and what it would run; no model is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.access.explain import explain_access
from llm_orc.app.access.models import AccessPlan
from llm_orc.app.projects.in_force import in_force
from llm_orc.dataclass import dataclass
from llm_orc.engine.plan import make_plan, stages
from llm_orc.ensembles.check import check
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import EnsembleInvalid, LlmOrcError, Problem

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class CheckReport:
    """`plan` is what a run would use; `access_error` why it can't run. `order` lists the agents stage by stage."""

    ensemble: Ensemble | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    order: tuple[tuple[str, ...], ...] = ()
    plan: AccessPlan | None = None
    access_error: LlmOrcError | None = None

    @property
    def is_good(self) -> bool:
        return not self.problems and self.access_error is None


async def check_ensemble(app: App, name_or_path: str, *, allow_metered: bool = False) -> CheckReport:
    """Check the ensemble of that name or path. Raises `EnsembleNotFound`; all other problems are in the report."""
    try:
        parsed = in_force(app, app.library.find(name_or_path, app.environment.cwd))
    except EnsembleInvalid as e:
        return CheckReport(None, e.problems or (Problem(e.message, hint=e.hint),))
    ensemble = parsed.ensemble
    found = check(parsed.when_trusted(), app.settings)
    order = stages(make_plan(ensemble))
    if found.problems:
        return CheckReport(ensemble, found.problems, found.warnings, order)
    try:
        plan = await explain_access(app, ensemble, allow_metered=allow_metered)
    except LlmOrcError as e:
        return CheckReport(ensemble, (), found.warnings, order, access_error=e)
    return CheckReport(ensemble, (), found.warnings, order, plan)
