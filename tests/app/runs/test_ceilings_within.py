"""A limit of tokens, and limits of one agent with all that runs within it, on top of those of the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.runs.request import RunLimits
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.errors import SettingsError
from llm_orc.runs.results import RunResult
from tests.app.conftest import KEY, Workspace, run
from tests.fakes.paid_server import PROVIDERS, Fault, PaidServer

MAX_TOKENS = 1000
ONE_CALL = 1300  # tokens that one call may take, generously: it is sent as some hundred bytes


@pytest.fixture
async def server() -> AsyncIterator[PaidServer]:
    async with PaidServer() as server:
        yield server


@pytest.fixture
def place(workspace: Workspace, server: PaidServer) -> Workspace:
    workspace.settings(server.settings(max_retries=1))
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    return workspace


def paid(name: str, **more: object) -> dict[str, object]:
    provider, model, _ = PROVIDERS["anthropic"]
    return {"name": name, "provider": provider, "model": model, "max_tokens": MAX_TOKENS, **more}


def refusals(result: RunResult) -> dict[str, tuple[str, str]]:
    """The message and the hint of every agent that was refused."""
    return {
        agent.name: (agent.error.message, agent.error.hint or "")
        for agent in result.agents
        if agent.error is not None and agent.error.code == "budget_exceeded"
    }


@pytest.mark.parametrize("fault", ["none", "no usage", "cut"])
async def test_a_run_takes_no_more_tokens_than_it_may(place: Workspace, server: PaidServer, fault: Fault) -> None:
    server.faults = [fault]
    place.ensemble("many", *(paid(f"a{n}") for n in range(6)))

    result, _ = await run(place.app(), "many", max_total_tokens=2 * ONE_CALL)

    assert sum(server.tokens) <= (result.counted_tokens or 0) <= 2 * ONE_CALL
    assert len(server.bills) == (6 if fault == "none" else 2)
    if fault != "none":
        message, hint = next(iter(refusals(result).values()))
        assert f"of the {2 * ONE_CALL:,} that the run may take are left" in message
        assert "llm-orc resume --max-total-tokens N" in hint


async def test_a_limit_of_tokens_goes_on_with_the_run_and_a_fork_has_its_own(
    place: Workspace, server: PaidServer
) -> None:
    server.faults = ["no usage"]
    place.settings(server.settings(max_retries=0, max_total_tokens=ONE_CALL))
    place.ensemble("three", paid("a"), paid("b"), paid("c"))
    first, _ = await run(place.app(), "three")
    again = await resume_run(place.app(), ResumeOptions("last"))
    calls = len(server.bills)
    more = await resume_run(place.app(), ResumeOptions("last", limits=RunLimits(max_total_tokens=2 * ONE_CALL)))

    assert refusals(again).keys() == refusals(first).keys()
    assert len(server.bills) > calls
    assert sum(server.tokens) <= (more.counted_tokens or 0) <= 2 * ONE_CALL
    before = sum(server.tokens)
    forked = await fork_run(place.app(), origin_of(place.app(), first.run_id), ForkOptions(everything=True))
    assert sum(server.tokens) - before <= (forked.counted_tokens or 0) <= 2 * ONE_CALL


async def test_what_a_run_without_a_limit_may_have_taken_counts_once_it_has_one(
    place: Workspace, server: PaidServer
) -> None:
    server.faults = ["garbage", "no usage", "none"]
    place.settings(server.settings(max_retries=0))
    place.ensemble("two", paid("a"), paid("b", depends_on=["a"], requires="none"))
    await run(place.app(), "two")

    refused = await resume_run(place.app(), ResumeOptions("last", limits=RunLimits(max_total_tokens=ONE_CALL)))
    asked = len(server.bills)
    result = await resume_run(place.app(), ResumeOptions("last", limits=RunLimits(max_total_tokens=5 * ONE_CALL)))

    assert asked == 2
    assert refusals(refused)
    assert result.status == "completed"
    assert sum(server.tokens) <= (result.counted_tokens or 0) <= 5 * ONE_CALL


async def test_what_nobody_can_bound_is_refused_under_a_limit_of_tokens_before_anything_is_spent(
    place: Workspace, server: PaidServer
) -> None:
    endless = {"provider": "openai", "model": "gpt-5", "options": {"web_search_options": {}}}
    place.environ |= {"OPENAI_API_KEY": KEY}
    place.settings({**server.settings(), "model_profiles": {"searching": endless}})
    place.ensemble("two", paid("a"), {"name": "b", "model_profile": "searching", "max_total_tokens": 9999})

    with pytest.raises(SettingsError, match="`max_total_tokens` of agent `b` can't be kept: `web_search_options`"):
        await run(place.app(), "two")
    assert server.bills == []


async def test_an_unknown_price_is_refused_under_the_limit_of_one_agent(
    place: Workspace, server: PaidServer
) -> None:
    loop = {"name": "l", "max_cost": 1, "loop": {"agents": [paid("a", model="unheard-of")], "max_rounds": 2}}
    place.ensemble("one", paid("before"), loop)

    with pytest.raises(SettingsError, match=r"the price of .* `max_cost` of agent `l` can't be kept"):
        await run(place.app(), "one")
    assert server.bills == []


async def test_the_limit_of_an_agent_is_that_of_all_its_items_and_of_nothing_else(
    place: Workspace, server: PaidServer
) -> None:
    items = {"fan_out": {"over": [1, 2, 3, 4, 5], "on_item_failure": "keep"}}
    place.ensemble("e", paid("each", **items, max_calls=2), paid("other", **items))

    result, _ = await run(place.app(), "e")

    assert len(server.bills) == 2 + 5
    (message, hint), *_ = refusals(result).values()
    assert message.endswith("is not called: agent `each` has made all 2 calls that it may make")
    assert hint == "Raise `max_calls` of agent `each` in its file, and start a new run."


@pytest.mark.parametrize("limit", [{"max_calls": 3}, {"max_total_tokens": 3 * ONE_CALL}, {"max_cost": 0.06}])
async def test_the_limit_of_an_agent_holds_over_rounds_repairs_samples_retries_and_resumes(
    place: Workspace, server: PaidServer, limit: dict[str, float]
) -> None:
    server.faults = ["no usage"]
    place.settings(server.settings(max_retries=0))
    repaired = paid("repaired", schema={"verdict": "string"}, repairs=5)
    loop = {"max_rounds": 5, "agents": [repaired, paid("sampled", samples=3)]}
    place.ensemble("e", {"name": "l", "loop": loop, **limit}, paid("other"))

    result, _ = await run(place.app(), "e")
    for _ in range(3):
        result = await resume_run(place.app(), ResumeOptions("last"))

    within = [name for name in refusals(result) if name.startswith("l")]
    assert within
    assert result["other"].status == "completed"
    took = {"max_calls": len(server.bills), "max_total_tokens": sum(server.tokens), "max_cost": server.bill_usd}
    of_other = {"max_calls": 1, "max_total_tokens": max(server.tokens), "max_cost": max(server.bills)}
    ((key, most),) = limit.items()
    assert took[key] <= most + of_other[key]


async def test_a_limit_within_counts_a_call_that_was_under_way_when_its_process_ended(
    place: Workspace, server: PaidServer
) -> None:
    server.faults = ["silence"]
    place.ensemble("inner", paid("a"), max_calls=1)
    place.ensemble("outer", {"name": "n", "ensemble": "inner"})
    sent = asyncio.Event()
    server.billed = lambda _usd: sent.set()
    running = asyncio.ensure_future(run(place.app(), "outer"))
    async with asyncio.timeout(10):
        await sent.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    result = await resume_run(place.app(), ResumeOptions("last"))

    assert len(server.bills) == 1
    assert refusals(result)["n/a"] == (
        "agent `n/a` is not called: ensemble `inner` has made all 1 calls that it may make",
        "Raise `max_calls` of ensemble `inner` in its file, and start a new run.",
    )
