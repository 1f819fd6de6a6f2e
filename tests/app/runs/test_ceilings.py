"""A limit holds for what a provider could bill: over retries, drops, garbage, silence, kills and resumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from llm_orc.app.conversations.chat import Chat, ChatOptions
from llm_orc.app.conversations.partner import Partner
from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.history.runs import list_runs
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.engine.events import AttemptStarted, RunEvent
from llm_orc.errors import SettingsError
from llm_orc.runs.results import RunResult
from tests.app.conftest import KEY, Workspace, limits_among, run
from tests.fakes.paid_server import PROVIDERS, Fault, PaidServer

LIMIT_USD = 0.16
MAX_TOKENS = 8000  # at $15 a million: one try of the agent may cost 0.12


@pytest.fixture
async def server() -> AsyncIterator[PaidServer]:
    async with PaidServer() as server:
        yield server


@pytest.fixture
def place(workspace: Workspace, server: PaidServer) -> Workspace:
    workspace.settings(server.settings(max_retries=4))
    workspace.environ = dict.fromkeys(
        ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"), KEY
    )
    return workspace


def paid(name: str, dialect: str = "anthropic", **more: object) -> dict[str, object]:
    provider, model, _ = PROVIDERS[dialect]
    return {"name": name, "provider": provider, "model": model, "max_tokens": MAX_TOKENS, **more}


async def resumed(place: Workspace, **options: object) -> RunResult:
    return await resume_run(place.app(), ResumeOptions("last", limits_among(options)))


@pytest.mark.parametrize("fault", ["cut", "drop", "504"])
async def test_a_further_try_is_put_aside_before_it_is_sent(
    place: Workspace, server: PaidServer, fault: Fault
) -> None:
    server.faults = [fault]
    place.ensemble("one", paid("a"))

    result, _ = await run(place.app(), "one", max_cost_usd=LIMIT_USD, stream=True)

    assert len(server.bills) == 1
    assert server.bill_usd <= LIMIT_USD
    assert result["a"].error is not None
    assert result["a"].error.code == "budget_exceeded"
    assert result.counted_usd is not None
    assert server.bill_usd <= result.counted_usd <= LIMIT_USD
    metered = result.by_billing["metered"]
    assert (metered.calls, metered.unanswered, metered.cost_usd) == (0, 1, None)


@pytest.mark.parametrize("fault", ["garbage", "silence", "error event", "cut"])
async def test_what_failed_before_counts_after_a_resume(
    place: Workspace, server: PaidServer, fault: Fault
) -> None:
    server.faults = [fault]
    place.ensemble("one", paid("a", timeout_seconds=0.2))

    result, _ = await run(place.app(), "one", max_cost_usd=LIMIT_USD)
    for _ in range(3):
        result = await resumed(place)

    assert server.bill_usd <= LIMIT_USD
    assert result.counted_usd is not None
    assert result.counted_usd >= server.bill_usd
    again = await resumed(place, max_cost_usd=2 * LIMIT_USD)
    assert again.counted_usd is not None
    assert result.counted_usd < server.bill_usd <= again.counted_usd <= 2 * LIMIT_USD


@pytest.mark.parametrize("fault", ["429", "503", "400"])
async def test_what_a_provider_refused_counts_as_nothing(
    place: Workspace, server: PaidServer, fault: Fault
) -> None:
    server.faults = [fault]
    place.settings(server.settings(max_retries=1))
    place.ensemble("one", paid("a"))
    await run(place.app(), "one", max_cost_usd=LIMIT_USD)
    server.faults = ["none"]

    result = await resumed(place)

    assert result.status == "completed"
    assert result.counted_usd == pytest.approx(server.bill_usd)
    assert result.total.cost_usd == pytest.approx(server.bill_usd)


async def test_a_provider_that_was_never_reached_counts_as_nothing(place: Workspace, server: PaidServer) -> None:
    place.ensemble("one", paid("a"))
    settings = server.settings(max_retries=0)
    providers = settings["providers"]
    assert isinstance(providers, dict)
    place.settings({**settings, "providers": {**providers, "anthropic-api": {"base_url": "http://127.0.0.1:9"}}})

    result, _ = await run(place.app(), "one", max_cost_usd=LIMIT_USD)

    assert result["a"].error is not None
    assert result["a"].error.code == "provider_unreachable"
    assert (result.counted_usd, result.total.cost_usd, result.unanswered) == (0, 0, 0)


@pytest.mark.parametrize("dialect", PROVIDERS)
@pytest.mark.parametrize("fault", ["no usage", "bad usage"])
async def test_answers_without_a_usage_count_at_their_most_and_their_cost_is_unknown(
    place: Workspace, server: PaidServer, dialect: str, fault: Fault
) -> None:
    server.faults = [fault]
    place.ensemble("many", *(paid(f"a{n}", dialect) for n in range(20)))
    once, _ = await run(place.app(), "many", max_calls=1)
    limit_usd = 2.5 * server.bill_usd
    server.bills.clear()

    result, _ = await run(place.app(), "many", max_cost_usd=limit_usd)

    assert once.total.cost_usd is None
    assert len(server.bills) == result.total.calls == 2
    assert server.bill_usd <= (result.counted_usd or 0) <= limit_usd
    assert (result.total.cost_usd, result.total.known_cost_usd, result.total.unknown_costs) == (None, 0, 2)
    assert all(agent.usage.tokens is None for agent in result.agents if agent.status == "completed")


async def test_a_call_that_ctrl_c_cut_counts_when_the_run_goes_on(place: Workspace, server: PaidServer) -> None:
    server.faults = ["silence", "none"]
    place.ensemble("one", paid("a"))
    sent = asyncio.Event()
    server.billed = lambda _usd: sent.set()
    running = asyncio.ensure_future(run(place.app(), "one", max_cost_usd=LIMIT_USD))
    await sent.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    result = await resumed(place)

    assert len(server.bills) == 1
    assert result["a"].error is not None
    assert result["a"].error.code == "budget_exceeded"


async def test_a_run_that_had_no_limit_counts_what_it_may_have_cost_once_it_has_one(
    place: Workspace, server: PaidServer
) -> None:
    server.faults = ["garbage", "none"]
    place.ensemble("one", paid("a"), paid("b"))
    before, _ = await run(place.app(), "one")
    assert before.unanswered == 1

    refused = await resumed(place, max_cost_usd=LIMIT_USD)
    again = await resumed(place, max_cost_usd=2 * LIMIT_USD)

    assert len(server.bills) == 3
    assert refused.status == "completed_with_errors"
    assert again.status == "completed"
    assert server.bill_usd <= (again.counted_usd or 0) <= 2 * LIMIT_USD


async def test_a_limit_that_a_run_goes_on_with_is_its_own_from_then_on(
    place: Workspace, server: PaidServer
) -> None:
    server.faults = ["503", "garbage"]
    place.settings(server.settings(max_retries=0))
    place.ensemble("one", paid("a"))
    await run(place.app(), "one")

    result = await resumed(place, max_cost_usd=LIMIT_USD, max_calls=5)
    for _ in range(3):
        result = await resumed(place)

    assert len(server.bills) == 2
    assert result["a"].error is not None
    assert result["a"].error.code == "budget_exceeded"


async def test_a_fork_has_a_limit_of_its_own(place: Workspace, server: PaidServer) -> None:
    server.faults = ["none", "garbage"]
    place.ensemble("two", paid("a"), paid("b", depends_on=["a"]))
    first, _ = await run(place.app(), "two", max_cost_usd=LIMIT_USD)
    bill_before = server.bill_usd

    app = place.app()
    forked = await fork_run(app, origin_of(app, first.run_id), ForkOptions())

    assert first["a"].status == "completed"
    assert forked["a"].is_kept
    assert server.bill_usd - bill_before <= (forked.counted_usd or 0) <= LIMIT_USD


async def test_calls_that_were_under_way_count_against_a_limit_of_calls(
    place: Workspace, server: PaidServer
) -> None:
    server.faults = ["silence"]
    place.ensemble("three", *(paid(f"a{n}") for n in range(3)))
    app, ensemble = place.app(), find_ensemble(place.app(), "three")
    seen: list[RunEvent] = []
    running = asyncio.ensure_future(
        run_ensemble(app, ensemble, RunOptions("x", limits=RunLimits(max_calls=2)), RunListener(seen.append))
    )
    async with asyncio.timeout(10):
        while len(server.bills) < 2:
            await asyncio.sleep(0.01)
    assert sum(isinstance(event, AttemptStarted) for event in seen) == 2, "each is kept before it is sent"
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    server.faults = ["none"]

    result = await resumed(place)

    assert len(server.bills) == 2
    assert {agent.error.code for agent in result.agents if agent.error} == {"budget_exceeded"}
    assert (await resumed(place, max_calls=5)).status == "completed"
    assert len(server.bills) == 5


@pytest.mark.parametrize(
    ("dialect", "options"),
    [
        ("gemini", {"generationConfig": {"maxOutputTokens": 60_000}}),
        ("gemini", {"generation_config": {"max_output_tokens": 60_000}}),
        ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 60_000}}}),
        ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 60_000}}),
        ("openai-chat", {"max_completion_tokens": 300_000}),
        ("openai-chat", {"reasoning": {"max_tokens": 300_000}}),
        ("openai-responses", {"max_output_tokens": 60_000}),
    ],
)
async def test_options_that_make_an_answer_longer_make_it_dearer(
    place: Workspace, server: PaidServer, dialect: str, options: dict[str, object]
) -> None:
    agent = {key: value for key, value in paid("a", dialect).items() if key != "max_tokens"}
    place.ensemble("one", {**agent, "options": options})

    result, _ = await run(place.app(), "one", max_cost_usd=0.1)

    assert server.bills == []
    assert result["a"].error is not None
    assert result["a"].error.code == "budget_exceeded"


async def test_options_whose_price_is_not_known_are_refused_under_a_limit(
    place: Workspace, server: PaidServer
) -> None:
    profile = {
        "provider": "openai",
        "model": "gpt-5",
        "max_tokens": 100,
        "options": {"service_tier": "priority"},
    }
    place.settings({**server.settings(), "model_profiles": {"fast": profile}})
    place.ensemble("one", {"name": "a", "model_profile": "fast"})

    with pytest.raises(SettingsError, match="`service_tier`"):
        await run(place.app(), "one", max_cost_usd=1.0)
    assert server.bills == []


async def test_a_run_without_a_limit_keeps_no_tries(place: Workspace, server: PaidServer) -> None:
    place.ensemble("one", paid("a"))

    result, seen = await run(place.app(), "one")

    assert not any(isinstance(event, AttemptStarted) for event in seen.events)
    assert result.counted_usd is None
    assert result.total.cost_usd == pytest.approx(server.bill_usd)


async def test_a_chat_counts_the_turns_that_failed_and_those_that_were_cut(
    place: Workspace, server: PaidServer
) -> None:
    place.ensemble("one", paid("a"))
    app = place.app()
    async with Chat(app, Partner(find_ensemble(app, "one")), ChatOptions(max_cost_usd=2.5 * 0.122)) as chat:

        async def say(text: str) -> RunResult:
            return await chat.say(text, show=lambda _event: None, waiting=lambda _sentence: None)

        server.faults = ["garbage"]
        await say("one")
        server.faults = ["silence"]
        sent = asyncio.Event()
        server.billed = lambda _usd: sent.set()
        second = asyncio.ensure_future(say("two"))
        await sent.wait()
        second.cancel()
        with suppress(asyncio.CancelledError):
            await second
        server.faults = ["none"]
        third = await say("three")

        assert third["a"].error is not None
        assert third["a"].error.code == "budget_exceeded"
        assert len(server.bills) == 2
        assert (chat.spend.cost_usd, chat.spend.unknown_costs) == (None, 2)


async def test_a_list_of_runs_marks_a_cost_that_is_not_wholly_known(place: Workspace, server: PaidServer) -> None:
    server.faults = ["none", "garbage"]
    place.ensemble("two", paid("a"), paid("b", depends_on=["a"]))

    result, _ = await run(place.app(), "two")

    [listed] = list_runs(place.app())
    assert (listed.cost_usd, listed.unknown_costs) == (None, 1)
    assert listed.known_cost_usd == pytest.approx(result["a"].cost_usd)
    assert result.by_billing["metered"].known_cost_usd == pytest.approx(result["a"].cost_usd)
