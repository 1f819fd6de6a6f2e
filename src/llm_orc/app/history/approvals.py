"""Answer what agents of a run ask, from any process: the answer is recorded first, then the run goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.app.approvals.answers import GivenAnswer, answer_in_time, answered_by
from llm_orc.app.history.runs import RunsWanted, get_run, is_row, list_runs, opened_journal
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.running import is_running
from llm_orc.errors import InputError, RunNotFound
from llm_orc.runs.wire import encode_event
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.app.history.runs import RunRecord
    from llm_orc.app.runs.runtime import Runtime
    from llm_orc.app.wiring import App
    from llm_orc.engine.events import ApprovalAnswered, ApprovalAsked
    from llm_orc.runs.results import RunResult

_HANDOVER_S = 2.0  # how long a process that ends its work on a run may hold it
_LOOK_S = 0.05


def waiting_run(app: App, run: str | None) -> RunRecord:
    """Return the run that `run` names, or the only one that waits. Raises `RunNotFound`, `InputError`."""
    if run is not None:
        if is_row(run):
            batch, _, row = run.partition(":")
            raise InputError(f"`{run}` is a row of a batch", hint=f"llm-orc batch answer {batch} {row}")
        return get_run(app, run)
    found = [one for one in list_runs(app, RunsWanted(None, statuses=("waiting",)), limit=None) if one.asks]
    if not found:
        raise RunNotFound("no run waits for an answer", hint="llm-orc runs list")
    if len(found) > 1:
        listed = ", ".join(f"`{one.run_id}`" for one in found[:5])
        raise RunNotFound(f"{len(found)} runs wait for an answer: {listed}", hint="Say which one: RUN is its id.")
    return get_run(app, found[0].run_id)


def question_of(record: RunRecord, agent: str | None) -> ApprovalAsked:
    """Return what `agent` asks, or the only agent that asks.

    Raises `InputError` where nothing is asked or several agents ask, and `AlreadyAnswered`.
    """
    run_id, state = record.summary.run_id, record.state
    asking = state.open_questions
    if agent is not None and agent in asking:
        return asking[agent]
    if agent is not None and (given := state.answers.get(agent)) is not None:
        raise answered_by(agent, given, f"llm-orc runs show {run_id}")
    if agent is None and len(asking) == 1:
        return next(iter(asking.values()))
    if not asking:
        what = f"agent `{agent}` of run `{run_id}`" if agent is not None else f"run `{run_id}`"
        raise InputError(
            f"{what} asks nothing; the run is `{record.summary.status}`", hint="llm-orc runs list --status waiting"
        )
    listed = ", ".join(f"`{path}`" for path in asking)
    if agent is not None:
        raise InputError(
            f"agent `{agent}` of run `{run_id}` asks nothing",
            hint=did_you_mean(agent, asking) or f"These ask: {listed}.",
        )
    raise InputError(
        f"{len(asking)} agents of run `{run_id}` ask: {listed}", hint="Say which one: AGENT after RUN."
    )


def record_answer(app: App, run_id: str, asked: ApprovalAsked, given: GivenAnswer) -> ApprovalAnswered:
    """Record the answer: exactly one of several people who answer at once succeeds.

    Raises `InputError` for what is none of the choices, `AlreadyAnswered` if somebody else was first or the time
    had passed, so that `otherwise` is the answer, and `ApprovalExpired` if it has passed and the agent has none.
    """
    resume = f"The run goes on without an answer: llm-orc resume {run_id}"
    event, is_late = answer_in_time(app, asked, given, resume)
    with opened_journal(app) as journal:
        is_first = journal.answer(run_id, asked.agent, encode_event(event))
    if is_first and not is_late:
        return event
    known = get_run(app, run_id).state.answers.get(asked.agent)
    if known is None:
        raise InputError(f"agent `{asked.agent}` of run `{run_id}` asks nothing any more")
    raise answered_by(asked.agent, known, f"llm-orc runs show {run_id}")


async def answer_run(
    app: App,
    run: str,
    agent: str | None,
    given: GivenAnswer,
    options: ResumeOptions | None,
    *,
    listener: RunListener = RunListener(),
    runtime: Runtime | None = None,
) -> RunResult:
    """Record the answer and go on with the run, unless another process does; return its result.

    `options` None: don't go on. Raises what `question_of`, `record_answer` and `resume_run` raise.
    """
    record = await asyncio.to_thread(waiting_run, app, run)
    run_id = record.summary.run_id
    await asyncio.to_thread(record_answer, app, run_id, question_of(record, agent), given)
    if options is None or await is_taken(app, run_id):
        return (await asyncio.to_thread(get_run, app, run_id)).result
    return await resume_run(app, replace(options, run=run_id), listener, runtime=runtime)


async def is_taken(app: App, run_id: str) -> bool:
    """Return whether another process carries out the run: it goes on with the answer itself.

    A process that is about to end has a moment to do so.
    """
    left_s = _HANDOVER_S
    while is_running(app, run_id):
        if left_s <= 0:
            return True
        await asyncio.sleep(_LOOK_S)
        left_s -= _LOOK_S
    return False
