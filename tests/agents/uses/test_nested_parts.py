"""What agents within others are asked is made of what the agents around them are given."""

from __future__ import annotations

from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.agents.uses.prompt_parts import PromptParts, longest_of, prompt_parts
from llm_orc.agents.work import ModelWork
from llm_orc.ensembles.ensemble import Ensemble

PANEL = NestedEnsemble(
    "panel",
    (
        AgentSpec("lawyer", ModelWork(prompt="${inputs.facts} and ${task}")),
        AgentSpec("judge", depends_on=("lawyer",)),
    ),
    inputs=(InputSpec("facts"),),
)
OUTER = Ensemble(
    "outer",
    (
        AgentSpec("first"),
        AgentSpec("legal", EnsembleWork(PANEL, {"facts": "${first}"})),
    ),
)


def test_each_part_counts_as_often_as_it_may_stand_there() -> None:
    parts = prompt_parts(OUTER)

    assert parts["first"] == PromptParts()
    assert parts["legal"] == PromptParts(1, ("first",))
    assert parts["legal/lawyer"] == PromptParts(2, ("first", "first"), (), len("${inputs.facts} and ${task}"))
    assert parts["legal/judge"] == PromptParts(1, ("first", "legal/lawyer"))


def test_an_answer_of_an_ensemble_is_as_long_as_the_longest_within_it() -> None:
    longest = {"first": 10, "legal/lawyer": 20, "legal/judge": 30}

    assert [longest_of(longest, name, 7) for name in ("first", "legal", "other")] == [10, 30, 7]
