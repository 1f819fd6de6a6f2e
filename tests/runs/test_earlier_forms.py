"""What earlier releases stored is read as what it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from llm_orc.agents.evidence.spec import Evidence
from llm_orc.agents.kinds import needs_of
from llm_orc.agents.output import ModelCall
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.auth.access import Access, Billing
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.providers.base import Usage
from llm_orc.runs.journal import Journal
from llm_orc.runs.recipe import Recipe, decode_recipe, encode_recipe, identity_of, load_run
from llm_orc.runs.wire import encode_event
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


METERED = Access("openai", "api-key", Billing.METERED, "API key from OPENAI_API_KEY", "https://api.openai.com")
PLAN = Access("claude-cli", "claude-cli", Billing.SUBSCRIPTION, "plan `max`", "https://api.anthropic.com")


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


def test_a_run_that_ended_is_shown_as_it_was(earlier: Journal) -> None:
    result = load_run(earlier, "20260921-ended").state.result()

    assert (result.status, result.duration_s, result.counted_usd) == ("completed_with_errors", 6.0, 0.0623)
    analyst, lawyer, clerk, chair = result.agents
    assert (analyst.name, analyst.response, analyst.attempts, analyst.model) == (
        "analyst",
        "Yes, for it pays.",
        2,
        "m-1",
    )
    assert analyst.calls == (
        ModelCall("m-1", METERED, Usage(120, 30, 10, 5), 0.0123, "max_tokens", "req_1", stop_word=""),
    )
    assert (lawyer.status, lawyer.model, lawyer.access, lawyer.attempts) == ("failed", "m-2", PLAN, 2)
    assert [error.code for error in lawyer.switched_from] == ["provider_unreachable"]
    assert lawyer.notices == ("no longer told the oldest 2 turns",)
    assert (clerk.status, clerk.because) == ("skipped", ("lawyer",))
    assert (chair.cost_usd, chair.usage.tokens, chair.stop_word) == (None, None, "paused")
    assert {who: (spend.calls, spend.unanswered) for who, spend in result.by_billing.items()} == {
        "metered": (1, 1),
        "subscription": (1, 0),
    }


def test_a_run_that_was_stopped_has_the_answers_that_it_had(earlier: Journal) -> None:
    run = load_run(earlier, "20260921-stopped")

    assert {path: output.text for path, output in run.state.outputs.items()} == {
        "analyst": "Kept of the release before."
    }
    assert run.next_seq == 5
    assert run.state.costs.calls == 2


def test_each_event_of_an_earlier_release_is_one_or_two_of_now(earlier: Journal) -> None:
    kinds = [encode_event(event)[0] for event in load_run(earlier, "20260921-ended").events]

    assert kinds == [
        "run_started",
        *(["agent_started", "model_chosen"] * 2),
        "try_started",
        "model_retrying",
        "try_settled",
        "try_started",
        "model_switched",
        "try_settled",
        "agent_notice",
        "try_started",
        "agent_finished",
        "try_settled",
        "agent_failed",
        "agent_skipped",
        "agent_started",
        "model_chosen",
        "agent_finished",
        "run_finished",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        AgentSpec("a", save_as="answer.md"),
        AgentSpec("a", attachments=()),
        AgentSpec("a", ModelWork(tools=("files.read",))),
        AgentSpec("a", ModelWork(schema={"type": "object"})),
        AgentSpec("a", ModelWork(evidence=(Evidence("quote", ("${task}",)),))),
    ],
)
def test_whatever_shapes_an_answer_makes_another_identity(changed: AgentSpec) -> None:
    plain = Recipe(Ensemble("e", (AgentSpec("a"),)), "", {})

    assert identity_of(plain) != identity_of(Recipe(Ensemble("e", (changed,)), "", {}))
