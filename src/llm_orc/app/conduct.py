"""Conduct one try of a run: open what it needs, execute its plan, and close everything again, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.agents.budget import Budget
from llm_orc.agents.llm import LlmCaller
from llm_orc.app.access import AccessPlan
from llm_orc.app.conversing import conversation_of
from llm_orc.app.costs import cost_of
from llm_orc.app.estimate import estimate
from llm_orc.app.running import lock_of
from llm_orc.app.session import Session
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentRetrying,
    AgentStarted,
    AgentSwitched,
    RunEvent,
)
from llm_orc.engine.execute import execute
from llm_orc.engine.plan import make_plan
from llm_orc.errors import BudgetExceeded, RunNotResumable, SettingsError, StorageError
from llm_orc.providers.base import Usage
from llm_orc.runs.journal import NewRun
from llm_orc.runs.record import DirectSink, Recorder
from llm_orc.runs.resume import Recipe, RecordedRun, encode_recipe
from llm_orc.runs.state import RunState
from llm_orc.storage.lock import exclusive

if TYPE_CHECKING:
    from llm_orc.app.access import ReadyModels
    from llm_orc.app.wiring import App
    from llm_orc.runs.journal import Journal
    from llm_orc.runs.state import RunResult


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on: `show` gets each event, durable already; `planned` is called before anything is spent."""

    show: Callable[[RunEvent], None]
    planned: Callable[[AccessPlan], None] = lambda _plan: None
    stream: bool = False  # whether text deltas are wanted
    waiting: Callable[[str], None] = lambda _sentence: None  # told what it waits for, before the run starts


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a try but shapes no answer. None: as the settings say."""

    max_concurrent: int | None = None
    timeout_s: float | None = None


async def conduct(
    app: App,
    recipe: Recipe,
    watch: Watch,
    limits: Limits,
    *,
    run_id: str,
    record: bool,
    earlier: RecordedRun | None = None,
    session: Session | None = None,
) -> RunResult:
    """Run `recipe`, or what `earlier` has left of it, and return the result.

    `session` None: one of its own. On cancellation the record is completed and everything closed before the
    cancellation goes on.
    """
    async with AsyncExitStack() as stack:
        if session is None:
            session = await stack.enter_async_context(session_for(app, recipe, watch))
        ready, candidates = await session.models_for(recipe.choices)
        refuse_unknown_price(recipe.max_cost_usd, ready)
        recipe = replace(
            recipe, choices={a: tuple(m.choice for m in found) for a, found in ready.by_agent.items()}
        )
        told = await stack.enter_async_context(conversation_of(app, recipe, recipe.choices, run_id, watch.waiting))
        watch.planned(replace(ready.plan, estimate=partial(estimate, recipe, ready.by_agent, told.characters)))
        state = RunState()

        def see(event: RunEvent) -> None:
            if not isinstance(event, AgentDelta):
                state.apply(event)
            watch.show(event)

        sink: DirectSink | Recorder = DirectSink(see)
        if record:
            sink = await _open_record(app, stack, recipe, run_id=run_id, see=see, earlier=earlier)
        if earlier is not None and earlier.next_seq == 0:
            sink.carry_over(earlier.events)
        elif earlier is not None:
            for event in earlier.events:
                see(event)
        caller = LlmCaller(candidates, _budgets(recipe, earlier))
        await execute(
            make_plan(recipe.ensemble),
            recipe.task,
            told.wrap(caller),
            sink,
            run_id=run_id,
            clock=app.clock,
            max_concurrent=min(
                limits.max_concurrent or app.settings.runs.max_concurrent or session.connections,
                session.connections,
            ),
            timeout_s=limits.timeout_s or recipe.timeout_s or app.settings.runs.timeout_s,
            done=earlier.state.outputs if earlier else None,
            sandbox=recipe.rehearsal,
            conversation=recipe.conversation,
        )
        return state.result(recorded=record and sink.failure is None)


def session_for(app: App, recipe: Recipe, watch: Watch) -> Session:
    """Return a session that has what `recipe` needs; it is still to be entered."""
    return Session(app, allow_metered=recipe.allow_metered, rehearsal=recipe.rehearsal, stream=watch.stream)


def _budgets(recipe: Recipe, earlier: RecordedRun | None) -> tuple[Budget, ...]:
    if recipe.max_cost_usd is None and recipe.max_calls is None:
        return ()
    agents = earlier.state.agents.values() if earlier else ()
    spent = [agent.output.cost_usd or 0.0 for agent in agents if agent.output and not agent.is_kept]
    calls = calls_in(earlier.events) if earlier else 0
    return (Budget(recipe.max_cost_usd, sum(spent), max_calls=recipe.max_calls, calls=calls),)


def calls_in(events: Iterable[RunEvent]) -> int:
    """Count the tries that were sent, as a limit of calls counts them."""
    started = refused = 0
    for event in events:
        started += isinstance(event, AgentStarted | AgentRetrying | AgentSwitched)
        refused += isinstance(event, AgentFailed) and event.error.code == BudgetExceeded.code
    return started - refused


def refuse_unknown_price(max_cost_usd: float | None, ready: ReadyModels) -> None:
    """A limit that can't be kept is none: raise `SettingsError` where a price is missing."""
    if max_cost_usd is None:
        return
    one = Usage(1, 1)
    models = {model.model: model for models in ready.by_agent.values() for model in models}
    unknown = [f"`{m.access.provider}` {name}" for name, m in models.items() if cost_of(m)(name, one) is None]
    if unknown:
        raise SettingsError(
            f"the price of {', '.join(unknown)} is not known, so `--max-cost` can't be kept",
            hint="Give it in a profile (`cost_per_token`, US dollars), or run without `--max-cost`.",
        )


def _open_for(app: App, recipe: Recipe, run_id: str, *, is_new: bool) -> Journal:
    """Open the journal, with the run in it that is about to begin or go on."""
    journal = app.open_journal()
    try:
        if is_new:
            journal.begin(
                NewRun(
                    run_id=run_id,
                    ensemble=recipe.ensemble.name,
                    started_at=app.clock.now(),
                    agents=len(recipe.ensemble.agents),
                    sandbox=recipe.rehearsal,
                    recipe=encode_recipe(recipe),
                )
            )
        else:
            journal.go_on(run_id)
    except StorageError:
        journal.close()
        raise
    return journal


def _close(journal: Journal, keep_days: int | None, now: float) -> None:
    try:
        if keep_days is not None and (old := journal.forgettable(keep_days, now)):
            journal.delete(old)
    except StorageError:
        pass  # the run has its answers; the next one cleans up
    finally:
        journal.close()


async def _open_record(
    app: App,
    stack: AsyncExitStack,
    recipe: Recipe,
    *,
    run_id: str,
    see: Callable[[RunEvent], None],
    earlier: RecordedRun | None,
) -> Recorder:
    """Open the journal for this run alone: no other process may go on with it meanwhile."""
    if not stack.enter_context(exclusive(lock_of(app, run_id))):
        raise RunNotResumable(f"run `{run_id}` is going on in another process")
    journal = await asyncio.to_thread(
        _open_for, app, recipe, run_id, is_new=earlier is None or earlier.next_seq == 0
    )
    stack.push_async_callback(asyncio.to_thread, _close, journal, app.settings.runs.keep_days, app.clock.now())
    if earlier is None or earlier.next_seq == 0:
        return Recorder(journal, run_id, see)
    finished = [agent for agent in earlier.state.agents.values() if agent.output is not None]
    spent = [agent.output.cost_usd for agent in finished if agent.output and not agent.is_kept]
    known = [cost for cost in spent if cost is not None]
    return Recorder(
        journal,
        run_id,
        see,
        next_seq=earlier.next_seq,
        finished=len(finished),
        cost_usd=sum(known) if len(known) == len(spent) else None,
    )
