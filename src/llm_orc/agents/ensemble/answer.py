"""Run an ensemble within an agent, and take its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.ensemble.given import given_inputs
from llm_orc.agents.output import AgentOutput
from llm_orc.errors import EnsembleWithoutAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.spec import NestedEnsemble
    from llm_orc.agents.turn import ChildResult
    from llm_orc.jsontypes import JsonValue


async def answer_of(
    context: AgentContext,
    child: str,
    ensemble: NestedEnsemble,
    inputs: Mapping[str, JsonValue],
    task: str | None,
    *,
    at: AgentPath | None = None,
) -> AgentOutput:
    """Run the graph `child`, which is `ensemble`, and return its answer. `at`: see `AgentContext.run_child`.

    Raises `EnsembleWithoutAnswer`, and before any of its agents starts, `InputError` for wrong values of inputs.
    If a condition left out all that may answer, the answer is empty.
    """
    values = given_inputs(ensemble, inputs, context)
    result = await context.run_child(child, task_for(context, ensemble, task), at, values)
    if result.has_failed:
        raise EnsembleWithoutAnswer(f"ensemble `{ensemble.name}` has no answer: {failures_in_words(result)}")
    if result.failures:
        context.notice(f"Within `{ensemble.name}`: {failures_in_words(result)}")
    if result.answer is None:
        context.notice(f"The answer of `{ensemble.name}` was left out by a condition.")
        return AgentOutput("", ())
    within = (
        {name: output.text for name, output in result.outputs.items()} if context.turn.agent.is_earlier else {}
    )
    return AgentOutput(result.answer.text, (), result.answer.data, within=within)


def task_for(context: AgentContext, ensemble: NestedEnsemble, task: str | None) -> str:
    """Return the task that an ensemble within the agent is given: `task`, or what the agent itself is asked."""
    if ensemble.task == "none":
        return ""
    return context.prompt if task is None else context.text("task", task)


def failures_in_words(result: ChildResult) -> str:
    return "; ".join(f"agent `{name}` failed: {message}" for name, message in result.failures.items())
