"""Run an ensemble with several models at the same time: one run for each, on one runtime and one budget."""

from __future__ import annotations

import asyncio
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.named_models import NONE_NAMED, NamedModels
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.models import AccessPlan, plan_of
from llm_orc.app.projects.programs import files_of
from llm_orc.app.runs.limits.refusals import refuse_unknown_most
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.run import RunOptions, ceilings_of, run_ensemble
from llm_orc.app.runs.runtime import Runtime, Terms
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import AgentDelta, ErrorInfo, RunEvent
from llm_orc.engine.observer import error_info
from llm_orc.engine.surprises import as_error
from llm_orc.errors import InputError
from llm_orc.net.text import one_line
from llm_orc.runs.results import RunResult
from llm_orc.runs.state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


@dataclass(slots=True)
class Side:
    """One of the runs that are compared. `models` take the place of the ensemble's; none: it is run as it is.

    `result` is what there is of it, and `error` what ended it apart from its own agents.
    """

    name: str
    models: NamedModels = NONE_NAMED
    result: RunResult | None = None
    error: ErrorInfo | None = None
    state: RunState = field(default_factory=RunState)

    @property
    def exit_code(self) -> int:
        error = self.error or (self.result.error if self.result is not None else None)
        if error is not None:
            return error.exit_code
        return 1 if self.result is None else self.result.exit_code


@dataclass(frozen=True, slots=True)
class ComparisonListener:
    """Callbacks for the progress of the runs. `planned` is called for each before anything is spent."""

    planned: Callable[[Side, AccessPlan], None] = lambda _side, _plan: None
    show: Callable[[Side, RunEvent], None] = lambda _side, _event: None
    waiting: Callable[[str], None] = lambda _sentence: None


async def compare_models(
    app: App,
    ensemble: Ensemble,
    options: RunOptions,
    sides: Sequence[Side],
    listener: ComparisonListener,
) -> None:
    """Run `ensemble` once for each side, all at the same time, and put the results into the sides.

    The limit on the cost is for all runs together, whether `options`, the settings or the ensemble's file have it.
    The access of all of them is found before any starts; what is missing, or not agreed to, is raised as by one
    run. Later, a side that fails ends no other. On cancellation, sides keep what they have.
    Raises `InputError` if the ensemble writes files: all sides would write the same ones.
    """
    if (files := files_of(ensemble)) and not options.rehearse:
        agent, path = files[0]
        raise InputError(
            f"each run of a comparison would write `{one_line(path, 100)}` (`save_as` of agent `{agent}`)",
            hint="Compare a copy of the ensemble without `save_as`.",
        )
    async with Runtime(app) as runtime:
        ceilings = ceilings_of(app, ensemble, options.limits)
        limits = replace(options.limits, max_cost_usd=ceilings.max_cost_usd)
        await _plan(runtime, ensemble, replace(options, limits=limits), sides, listener)
        if limits.max_cost_usd is not None:
            limits = replace(limits, budget=Budget(Ceilings(limits.max_cost_usd)))
        async with asyncio.TaskGroup() as running:
            for side in sides:
                asked = replace(options, limits=limits, models=side.models)
                running.create_task(_run(runtime, ensemble, asked, side, listener))


async def _plan(
    runtime: Runtime,
    ensemble: Ensemble,
    options: RunOptions,
    sides: Sequence[Side],
    listener: ComparisonListener,
) -> None:
    app = runtime.app
    consent = with_agreements(app, ensemble, options.consent)
    terms = Terms(consent, options.rehearse)
    plans = []
    for side in sides:
        found = await runtime.models_for(choices_of(ensemble, app.settings, side.models), terms)
        refuse_unknown_most(app, ensemble, ceilings_of(app, ensemble, options.limits), found.ready)
        plans.append(plan_of(app, ensemble, found.ready))
    for side, plan in zip(sides, plans, strict=True):
        listener.planned(side, plan)


async def _run(
    runtime: Runtime, ensemble: Ensemble, options: RunOptions, side: Side, listener: ComparisonListener
) -> None:
    def show(event: RunEvent) -> None:
        if not isinstance(event, AgentDelta):
            side.state.apply(event)
        listener.show(side, event)

    own = RunListener(show, waiting=listener.waiting)
    try:
        side.result = await run_ensemble(runtime.app, ensemble, options, own, runtime=runtime)
    except asyncio.CancelledError:
        _keep(side, options)
        raise
    except Exception as e:  # noqa: BLE001 - whatever ends one run ends no other
        _keep(side, options)
        side.error = error_info(as_error(e))


def _keep(side: Side, options: RunOptions) -> None:
    """Keep what an unfinished run has."""
    if side.state.started is not None:
        side.result = side.state.result(recorded=options.record is not False)
