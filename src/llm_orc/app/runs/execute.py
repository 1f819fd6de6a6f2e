"""Execute one attempt at a run: open what it needs, execute its plan, and close everything, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import field, replace
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.saving.files import FileSaver
from llm_orc.app.access.bills.estimate import estimate
from llm_orc.app.access.consent import Caller, Consent, consent_of
from llm_orc.app.access.models import plan_of
from llm_orc.app.approvals.desk import Desk
from llm_orc.app.approvals.notify import notify
from llm_orc.app.cache.calls import cached_calls
from llm_orc.app.files.check import check_files
from llm_orc.app.files.run_files import open_files
from llm_orc.app.files.spilled import spill_of
from llm_orc.app.projects.present_programs import with_present_programs
from llm_orc.app.projects.programs import refuse_programs
from llm_orc.app.runs.conversation import conversation_of
from llm_orc.app.runs.limits.budget import budget_of, budgets_within, limits_of
from llm_orc.app.runs.limits.refusals import refuse_unknown_most, unlimited_notices
from llm_orc.app.runs.running import lock_of
from llm_orc.app.runs.runtime import Runtime, Terms
from llm_orc.app.runs.tools.open import tools_of
from llm_orc.app.tools.outlook import refuse_tools
from llm_orc.dataclass import dataclass
from llm_orc.engine.before import Before
from llm_orc.engine.events import AgentDelta, RunEvent
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.errors import AuthError, InputError, RunNotResumable
from llm_orc.providers.limits.plans import UsedUp
from llm_orc.runs.attempts import RecordedAttempts
from llm_orc.runs.journal import NewRun
from llm_orc.runs.reader import Reader
from llm_orc.runs.recipe import Recipe, RecordedRun, encode_recipe, kind_of
from llm_orc.runs.record import DirectSink, Recorder
from llm_orc.runs.state import RunState
from llm_orc.storage.contents.store import ContentStore
from llm_orc.storage.lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from llm_orc.agents.budgets.attempt import Spending
    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.turn import CallAgent
    from llm_orc.app.runs.request import RunLimits, RunListener
    from llm_orc.app.wiring import App
    from llm_orc.engine.events import ApprovalAsked
    from llm_orc.runs.journal import Journal
    from llm_orc.runs.results import RunResult


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a run. `earlier` is what there is of it already; `consent` None: that of the recipe.

    `used_up` are plans that an earlier attempt has found used up. `contents` are those of its files that
    may not be stored yet, by SHA-256.
    """

    recipe: Recipe
    run_id: str
    record: bool = True
    earlier: RecordedRun | None = None
    consent: Consent | None = None
    used_up: tuple[UsedUp, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    caller: Caller = "own machine"


async def execute_recipe(
    app: App, attempt: Attempt, limits: RunLimits, listener: RunListener, *, runtime: Runtime | None = None
) -> RunResult:
    """Run the recipe, or what an earlier attempt has left of it, and return the result.

    `runtime` None: one of its own. On cancellation the record is completed and what the run has opened is closed
    before the cancellation goes on. If the run then waits for a person, the user's settings say who is told.
    """
    result, asked = await _execute_recipe(app, attempt, limits, listener, runtime)
    if result.status == "waiting":  # others may carry it out from here on, also what is told now
        await notify(app, result.run_id, result.ensemble, asked, listener.waiting)
    return result


async def _execute_recipe(
    app: App, attempt: Attempt, limits: RunLimits, listener: RunListener, runtime: Runtime | None
) -> tuple[RunResult, Sequence[ApprovalAsked]]:
    """Return the result, and what was asked for the first time."""
    recipe, run_id, earlier = _to_run(app, attempt, listener), attempt.run_id, attempt.earlier
    async with AsyncExitStack() as stack:
        if runtime is None:
            runtime = await stack.enter_async_context(Runtime(app))
        consent = attempt.consent or consent_of(recipe)
        terms = Terms(consent, recipe.rehearsal, listener.stream, caller=attempt.caller)
        files = stack.enter_context(open_files(app, recipe, attempt.contents))
        models = await runtime.models_for(recipe.choices, terms)
        ready = models.ready
        refuse_unknown_most(app, recipe.ensemble, recipe.ceilings, ready)
        ready = replace(ready, notices=(*ready.notices, *unlimited_notices(recipe.max_cost_usd, ready)))
        recipe = replace(
            recipe, choices={a: tuple(m.choice for m in found) for a, found in ready.by_agent.items()}
        )
        told = await stack.enter_async_context(
            conversation_of(app, recipe, recipe.choices, run_id, listener.waiting)
        )
        files.also(one for found in told.files.values() for one in found)
        check_files(recipe, ready, told.files)
        await _keep_for_conversation(app, attempt)
        shown = plan_of(app, recipe.ensemble, ready)
        listener.planned(
            replace(
                shown,
                programs=() if recipe.rehearsal else shown.programs,
                files=() if recipe.rehearsal else shown.files,
                estimate=partial(estimate, recipe, ready.by_agent, told.characters),
            )
        )
        state = RunState()
        reader = Reader(listener.show)

        def see(event: RunEvent) -> None:
            if not isinstance(event, AgentDelta):
                state.apply(event)
            reader.show(event)

        sink: DirectSink | Recorder = DirectSink(see)
        if attempt.record:
            sink = await _open_record(runtime, stack, replace(attempt, recipe=recipe), see)
        if earlier is not None and earlier.next_seq == 0:
            sink.carry_over(earlier.events)
        elif earlier is not None:
            learned = Reader(listener.earlier or reader.show)
            for event in earlier.events:
                state.apply(event)
                learned.show(event)
        desk = Desk(
            app,
            run_id,
            state,
            sink,
            journal=sink.journal,
            ask_here=listener.ask,
            tell=listener.waiting,
        )
        budget = budget_of(
            recipe, earlier, models.candidates, told.characters, RecordedAttempts(sink, app.clock.now)
        )
        shared: tuple[Spending, ...] = () if recipe.rehearsal else runtime.budgets()
        budgets = (*shared, *(one for one in (limits.budget, budget) if one is not None))
        for used_up in attempt.used_up:
            runtime.plans.learn(used_up)
        caller = LlmCaller(
            models.candidates,
            budgets,
            runtime.plans,
            waits=recipe.wait_for_plan,
            within=budgets_within(recipe, earlier),
            files=files,
        )
        direct = AgentCaller(
            caller,
            rehearsal=recipe.rehearsal,
            ask_person=desk,
            tools=await stack.enter_async_context(
                tools_of(app, recipe, limits.tools, listener.ask, listener.waiting)
            ),
            spill=spill_of(app, run_id) if attempt.record else None,
        )
        call = told.wrap(_cached(direct, runtime, attempt, models.candidates) if attempt.record else direct)
        saver = await _saver(app, recipe, earlier)
        start = RunStart(
            run_id,
            recipe.task,
            done=earlier.state.outputs if earlier else {},
            before=earlier.state.before if earlier else Before(),
            sandbox=recipe.rehearsal,
            conversation=recipe.conversation,
            limits=limits_of(recipe),
            inputs=recipe.inputs,
            fails_when=recipe.ensemble.fails_when,
            named_models=recipe.named_models,
            saver=saver,
            task_files=recipe.files,
            files=files,
        )
        most = limits.max_concurrent or app.settings.runs.max_concurrent or models.connections
        go = partial(
            execute,
            make_plan(recipe.ensemble),
            call=call,
            sink=sink,
            clock=app.clock,
            max_concurrent=min(most, models.connections),
            timeout_s=limits.timeout_s or recipe.timeout_s or app.settings.runs.timeout_s,
        )
        await _to_the_end(go, start, state, desk)
        result = state.result(recorded=attempt.record and sink.failure is None)
        if any(
            agent.error is not None and agent.error.exit_code == AuthError.exit_code for agent in result.agents
        ):
            runtime.forget(models)
        return result, [asked for asked in desk.newly_asked if asked.agent in state.open_questions]


async def _to_the_end(
    go: Callable[[RunStart], Awaitable[None]], start: RunStart, state: RunState, desk: Desk
) -> None:
    """Execute the run until all has ended, or waits for answers that nobody has given."""
    await go(start)
    while state.finished is not None and state.finished.status == "waiting" and await desk.learn():
        await go(replace(start, done=state.outputs, before=state.before))


async def _saver(app: App, recipe: Recipe, earlier: RecordedRun | None) -> FileSaver:
    """Return what writes the files of answers, with those of an earlier attempt written. Raises `SaveFailed`."""
    saver = FileSaver(app.environment.cwd, recipe.ensemble, earlier.state.outputs if earlier else {})
    if earlier is not None and not recipe.rehearsal:
        await asyncio.to_thread(saver.save_missing, earlier.state.failed)
    return saver


def _cached(
    call: CallAgent, runtime: Runtime, attempt: Attempt, candidates: Mapping[str, Sequence[Candidate]]
) -> CallAgent:
    now = runtime.app.clock.now
    return cached_calls(call, runtime.answers, candidates, recipe=attempt.recipe, run_id=attempt.run_id, now=now)


def _to_run(app: App, attempt: Attempt, listener: RunListener) -> Recipe:
    """Return the attempt's recipe with the scripts as they are now.

    Raises `NotTrusted` if they may not be run, and `InputError` if somebody has to be asked and nobody can be.
    """
    recipe = attempt.recipe
    if recipe.rehearsal:
        return recipe
    if listener.ask is None and (recipe.is_chat or not attempt.record):
        _refuse_to_wait(recipe)
    if attempt.earlier is not None:
        recipe = replace(recipe, ensemble=with_present_programs(app, recipe.ensemble))
    refuse_programs(app, recipe.ensemble)
    refuse_tools(app, recipe.ensemble)
    return recipe


def _refuse_to_wait(recipe: Recipe) -> None:
    """A run waits for a person in its record, and a chat goes on without its turn. Raises `InputError`."""
    for path, spec in all_agents(recipe.ensemble):
        if needs_of(spec.work).people:
            what = "a turn of a chat" if recipe.is_chat else "a run without a record"
            hint = "Leave out `--no-record`, or set `runs.record: true`."
            raise InputError(
                f"agent `{path}` asks a person; nobody is here, and {what} can't wait",
                hint=f"Use `llm-orc invoke {quote(recipe.ensemble.name)}`." if recipe.is_chat else hint,
            )


def _begin(journal: Journal, app: App, attempt: Attempt) -> None:
    """Put the run into the journal that is about to begin or go on.

    A limit that a run goes on with is its own from then on, so that the next one who goes on with it keeps to it.
    """
    recipe, earlier = attempt.recipe, attempt.earlier
    if earlier is None or earlier.next_seq == 0:
        journal.begin(
            NewRun(
                run_id=attempt.run_id,
                ensemble=recipe.ensemble.name,
                started_at=app.clock.now(),
                agents=len(recipe.ensemble.agents),
                sandbox=recipe.rehearsal,
                recipe=encode_recipe(recipe),
                kind=kind_of(recipe),
                files=tuple(one.sha256 for one in recipe.all_files),
            )
        )
    else:
        kept = earlier.recipe.with_ceilings(recipe.ceilings)
        journal.go_on(attempt.run_id, encode_recipe(kept))


async def _keep_for_conversation(app: App, attempt: Attempt) -> None:
    """Store the contents that only a conversation refers to."""
    recipe = attempt.recipe
    if not attempt.record and recipe.conversation is not None and recipe.keeps_turns and not recipe.rehearsal:
        await _store_contents(app, attempt)


async def _store_contents(app: App, attempt: Attempt) -> None:
    if attempt.contents:
        await asyncio.to_thread(ContentStore(app.paths.files).put, attempt.contents)


async def _open_record(
    runtime: Runtime, stack: AsyncExitStack, attempt: Attempt, see: Callable[[RunEvent], None]
) -> Recorder:
    """Open the journal for this run alone: no other process may resume it meanwhile."""
    run_id, earlier = attempt.run_id, attempt.earlier
    if not stack.enter_context(exclusive(lock_of(runtime.app, run_id))):
        raise RunNotResumable(f"run `{run_id}` is going on in another process")
    journal = await runtime.journal()
    await asyncio.to_thread(_begin, journal, runtime.app, attempt)
    await _store_contents(runtime.app, attempt)
    stack.push_async_callback(runtime.clean_up)
    if earlier is None or earlier.next_seq == 0:
        return Recorder(journal, run_id, see)
    state = earlier.state
    return Recorder(journal, run_id, see, finished=state.finished_agents, costs=state.costs)
