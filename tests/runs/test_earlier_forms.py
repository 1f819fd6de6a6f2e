"""What earlier releases stored is read as what it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.runs.journal import Journal
from llm_orc.runs.recipe import decode_recipe, encode_recipe, load_run
from tests.runs.stored import restored

AGENTS = (
    AgentSpec(
        "analyst",
        ModelWork(
            ModelRef(provider="openai", model="m-1"),
            "You are a financial analyst.",
            temperature=0.25,
            max_tokens=100,
            options={"top_p": 0.5},
            fallback_model_profile="cheap",
            auth_method="api-key",
        ),
        timeout_s=30.0,
    ),
    AgentSpec("lawyer", ModelWork(ModelRef(profile="cheap"), output_format="json"), conversation=False),
    AgentSpec("clerk", depends_on=("lawyer",)),
    AgentSpec(
        "chair",
        ModelWork(ModelRef(profile="cheap", is_typed=True)),
        depends_on=("analyst", "lawyer"),
        requires="any",
    ),
)


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(restored("runs", tmp_path / "runs.sqlite"))
    yield journal
    journal.close()


def test_a_recipes_agents_are_what_they_were(earlier: Journal) -> None:
    assert load_run(earlier, "20260921-ended").recipe.ensemble.agents == AGENTS


def test_a_recipe_is_kept_whole(earlier: Journal) -> None:
    recipe = load_run(earlier, "20260921-stopped").recipe

    assert decode_recipe(encode_recipe(recipe)) == recipe
    assert [needs_of(agent.work).models for agent in recipe.ensemble.agents] == [(a.work,) for a in AGENTS]


def test_work_of_an_unknown_kind_is_refused(earlier: Journal) -> None:
    stored = encode_recipe(load_run(earlier, "20260921-ended").recipe).replace(
        b'"kind":"model"', b'"kind":"dance"'
    )

    with pytest.raises(msgspec.MsgspecError, match="does not know"):
        decode_recipe(stored)
