"""A limit on what a run may cost, kept before a call starts; and the estimate that is shown before."""

from __future__ import annotations

import pytest

from llm_orc.app.conversations.archive import conversations
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.app.runs.request import RunLimits
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.errors import SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run

MODEL = "claude-sonnet-4-5"


def paid(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "provider": "anthropic-api", "model": MODEL, "max_tokens": 1000, **more}


@pytest.fixture
def place(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    workspace.settings(on_sandbox(sandbox))
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    return workspace


async def test_a_run_within_its_limit_completes_and_costs_less(place: Workspace) -> None:
    place.ensemble("paid", *(paid(f"a{n}") for n in range(4)))

    result, _ = await run(place.app(), "paid", max_cost_usd=0.1)

    assert result.status == "completed"
    spent = sum(result[f"a{n}"].cost_usd or 0 for n in range(4))
    assert 0 < spent < 0.1


async def test_a_call_that_might_go_above_is_not_made_and_resume_goes_on_with_more(
    place: Workspace, sandbox: Sandbox
) -> None:
    place.ensemble("paid", paid("first"), paid("second", depends_on=["first"], max_tokens=64_000))

    result, _ = await run(place.app(), "paid", max_cost_usd=0.05)

    assert result["first"].status == "completed"
    error = result["second"].error
    assert error is not None
    assert error.code == "budget_exceeded"
    assert sandbox.request_count == 1
    again = await resume_run(place.app(), ResumeOptions(run="last", limits=RunLimits(max_cost_usd=2.0)))
    assert again.status == "completed"
    assert sandbox.request_count == 2


async def test_an_agent_without_a_limit_of_tokens_is_sent_one(place: Workspace, sandbox: Sandbox) -> None:
    place.ensemble("paid", {"name": "a", "provider": "openai", "model": "gpt-5"})
    place.environ = {"OPENAI_API_KEY": KEY}

    await run(place.app(), "paid", max_cost_usd=1.0)

    assert b'"max_output_tokens":8192' in sandbox.requests[0].body.replace(b" ", b"")


async def test_a_free_fallback_takes_over_where_the_paid_one_does_not_fit(
    place: Workspace, sandbox: Sandbox
) -> None:
    given = on_sandbox(sandbox)
    given["model_profiles"] = {"free": {"provider": "openai-compatible", "model": "m"}}
    place.settings(given)
    place.ensemble("paid", paid("a", max_tokens=64_000, fallback_model_profile="free"))

    result, _ = await run(place.app(), "paid", max_cost_usd=0.01)

    assert result.status == "completed"
    assert result.by_billing.keys() == {"local"}


async def test_a_price_that_is_not_known_is_refused_before_anything_is_sent(
    place: Workspace, sandbox: Sandbox
) -> None:
    place.ensemble("paid", paid("a", model="claude-of-the-future-9"))

    with pytest.raises(SettingsError, match="claude-of-the-future-9"):
        await run(place.app(), "paid", max_cost_usd=1.0)
    assert sandbox.request_count == 0


async def test_what_is_free_needs_no_budget(place: Workspace) -> None:
    place.ensemble("free", local("a"))

    result, seen = await run(place.app(), "free", max_cost_usd=0.0)

    assert result.status == "completed"
    assert seen.plans[0].estimate() is None


async def test_the_setting_is_a_limit_too(place: Workspace, sandbox: Sandbox) -> None:
    place.settings(on_sandbox(sandbox, runs={"max_cost": 0.0001}))
    place.ensemble("paid", paid("a"))

    result, _ = await run(place.app(), "paid")

    assert result["a"].error is not None
    assert result["a"].error.code == "budget_exceeded"


async def test_the_estimate_bounds_what_the_run_costs(place: Workspace) -> None:
    place.ensemble("paid", paid("a"), paid("b"), paid("c", depends_on=["a", "b"]))

    result, seen = await run(place.app(), "paid")

    estimate = seen.plans[0].estimate()
    assert estimate is not None
    assert estimate.calls == 3
    assert estimate.likely_usd is not None
    assert estimate.most_usd is not None
    spent = sum(result[name].cost_usd or 0 for name in "abc")
    assert spent < estimate.most_usd
    assert estimate.likely_usd < estimate.most_usd


async def test_an_unknown_price_is_called_unknown(place: Workspace) -> None:
    place.ensemble("paid", paid("a"), paid("b", model="claude-of-the-future-9"))

    _, seen = await run(place.app(), "paid")

    estimate = seen.plans[0].estimate()
    assert estimate is not None
    assert (estimate.calls, estimate.most_usd) == (2, None)


async def test_what_a_conversation_holds_counts_in_the_estimate(place: Workspace) -> None:
    place.ensemble("paid", paid("first"))
    with conversations(place.app()) as store:
        store.add(store.begin("long", "paid", None, 1.0), "first", "user", "word " * 40_000, 1.0)

    _, alone = await run(place.app(), "paid")
    _, told = await run(place.app(), "paid", conversation=ConversationOptions("long"))

    before, after = alone.plans[0].estimate(), told.plans[0].estimate()
    assert before is not None
    assert after is not None
    assert (after.likely_usd or 0) > 10 * (before.likely_usd or 0) > 0
