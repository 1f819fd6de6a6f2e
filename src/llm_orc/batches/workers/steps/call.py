"""Call an agent, and return whatever becomes of it as an outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.agents.turn import AgentTurn
from llm_orc.batches.database import StoreFailure
from llm_orc.batches.outcome import StepOutcome, encode_outcome
from llm_orc.batches.workers.membership import Evicted
from llm_orc.batches.workers.steps.sinks import OutcomeSink, StepObserver
from llm_orc.engine.child_runs import ChildRuns
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import CallAgent

CallPart = Callable[[AgentTurn, OutcomeSink], Awaitable[StepOutcome]]
"""Calls an agent that runs within another, whose sink is given, or finds its outcome: a failure is one too."""


async def call_agent(
    call: CallAgent,
    turn: AgentTurn,
    watch: StepObserver,
    is_fatal: Callable[[LlmOrcError], bool],
    call_part: CallPart | None = None,
) -> str:
    """Call the agent and return the outcome as text: its answer, or its failure.

    Agents that run within it are called by `call_part`. Raises failures that are `is_fatal`, and those of the
    store, of the plan, and of the worker, which are not the agent's.
    """
    children = turn.children
    if isinstance(children, ChildRuns) and call_part is not None:
        children = children.into(watch, _within(call_part, watch), passes=Exception)
    try:
        output = await call(replace(turn, observer=watch, children=children))
    except LlmOrcError as e:
        if is_fatal(e):
            raise
        return encode_outcome(watch.outcome(None, e))
    except (StoreFailure, Evicted, MustWaitForPlan):
        raise
    except Exception as e:  # noqa: BLE001 - the seam to the agents: a bug in one ends nothing but itself
        return encode_outcome(watch.outcome(None, as_error(e)))
    return encode_outcome(watch.outcome(output, None))


def _within(call_part: CallPart, watch: StepObserver) -> CallAgent:
    async def call(turn: AgentTurn) -> AgentOutput:
        outcome = await call_part(turn, watch)
        watch.keep_outcome(turn.path, outcome)
        return outcome.answer()

    return call
