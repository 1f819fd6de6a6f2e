"""Call an agent, and return whatever becomes of it as an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dbos import error as engine_errors

from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.agents.turn import AgentTurn
from llm_orc.batches.database import StoreFailure
from llm_orc.batches.outcome import StepOutcome, encode_outcome
from llm_orc.batches.workers.membership import Evicted
from llm_orc.batches.workers.steps.sinks import OutcomeSink, StepObserver
from llm_orc.engine.agent_run import is_cancelled
from llm_orc.engine.child_runs import ChildRuns
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.tool_log.actions import ActionLog
    from llm_orc.agents.turn import CallAgent
    from llm_orc.batches.workers.steps.desk import RowDesk

_NOT_THE_AGENTS = (
    StoreFailure,
    Evicted,
    MustWaitForPlan,
    WaitsForPerson,
    engine_errors.DBOSWorkflowConflictIDError,
)
CallPart = Callable[[AgentTurn, OutcomeSink], Awaitable[StepOutcome]]
"""Calls an agent that runs within another, whose sink is given, or finds its outcome: a failure is one too."""


async def call_agent(
    call: CallAgent,
    turn: AgentTurn,
    watch: StepObserver,
    is_fatal: Callable[[LlmOrcError], bool],
    call_part: CallPart | None = None,
    *,
    desk: RowDesk | None = None,
    actions: ActionLog | None = None,
) -> str:
    """Call the agent and return the outcome as text: its answer, or its failure.

    Agents that run within it are called by `call_part`, people are asked at the `desk`, and `actions` keeps what
    it does with tools. Raises failures that are `is_fatal`, those of the store, of the plan, and of the worker,
    which are not the agent's, and `WaitsForPerson`.
    """
    children = turn.children
    if isinstance(children, ChildRuns) and call_part is not None:
        children = children.into(watch, into_parts(call_part, watch), passes=Exception)
    ask = None if desk is None else partial(desk.ask, watch)
    try:
        at_work = replace(turn, observer=watch, children=children, ask_person=ask, actions=actions)
        output = await call(at_work)
    except LlmOrcError as e:
        if is_fatal(e):
            raise
        return encode_outcome(watch.outcome(None, e))
    except _NOT_THE_AGENTS:
        raise
    except asyncio.CancelledError as e:
        if is_cancelled():
            raise
        return encode_outcome(watch.outcome(None, as_error(e)))  # raised by the agent
    except Exception as e:  # noqa: BLE001 - the seam to the agents: a bug in one ends nothing but itself
        return encode_outcome(watch.outcome(None, as_error(e)))
    return encode_outcome(watch.outcome(output, None))


def into_parts(call_part: CallPart, watch: OutcomeSink) -> CallAgent:
    """Return what calls agents with `call_part`, and passes their events on to `watch`."""

    async def call(turn: AgentTurn) -> AgentOutput:
        outcome = await call_part(turn, watch)
        watch.keep_outcome(turn.path, outcome)
        return outcome.answer()

    return call
