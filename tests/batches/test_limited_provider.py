"""Which calls of a row wait on the queue of their provider, where it has a limit over all workers."""

from __future__ import annotations

import pytest

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.path import AgentPath, item_of
from llm_orc.agents.samples.spec import Samples
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.batches.workers.row_executor import limited_provider
from llm_orc.batches.workers.steps.sinks import StepObserver
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.recipe import Recipe
from tests.fakes.clocks import SetClock

A = AgentPath("a")
ONCE = AgentSpec("a")


def queued_at(agent: AgentSpec, path: AgentPath, limited: frozenset[str] = frozenset({"slow"})) -> str | None:
    recipe = Recipe(Ensemble("e", (agent,)), "", {"a": (ModelChoice("slow", "m", "user"),)})
    turn = AgentTurn(path, agent, "prompt", StepObserver(path, agent.work.kind, SetClock()))
    return limited_provider(recipe, limited, turn)


def test_an_agent_of_a_limited_provider_waits_on_its_queue_and_others_do_not() -> None:
    assert queued_at(ONCE, A) == "slow"
    assert queued_at(ONCE, A, frozenset({"other"})) is None


@pytest.mark.parametrize(
    "repeated", [AgentSpec("a", samples=Samples(3)), AgentSpec("a", fan_out=FanOut())], ids=["samples", "items"]
)
def test_each_sample_and_each_item_is_queued_and_not_the_agent_around_them(repeated: AgentSpec) -> None:
    assert queued_at(repeated, A) is None
    assert queued_at(ONCE, item_of(A, 2)) == "slow"
