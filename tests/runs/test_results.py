"""How results are shown to programs: briefly, and honestly about what is unknown."""

from __future__ import annotations

import asyncio

import pytest

import llm_orc
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import ErrorInfo, RunStatus
from llm_orc.providers.base import Usage
from llm_orc.runs.results import AgentResult, RunResult

ACCESS = Access("anthropic-api", "api-key", Billing.METERED, "ANTHROPIC_API_KEY", "https://api.example")
ANSWER = "# Yes\n\nBecause the market grows.\n" + "More reasons. " * 200


def judge(response: str | None, error: ErrorInfo | None = None) -> AgentResult:
    return AgentResult(
        name="judge",
        status="failed" if error else "completed",
        response=response,
        model="model-1",
        access=ACCESS,
        usage=Usage(10, 20),
        cost_usd=None,
        stop_reason="end_turn",
        started_at=0.0,
        duration_s=1.0,
        attempts=1,
        error=error,
    )


def result_of(agent: AgentResult, *, sandbox: bool = False) -> RunResult:
    status: RunStatus = "failed" if agent.error else "completed"
    return RunResult(
        "20261127-1",
        "panel",
        status,
        ANSWER,
        (agent,),
        0.0,
        1.0,
        sandbox=sandbox,
        answered_by="judge",
        unanswered=1,
    )


def test_a_result_is_one_short_line_on_a_console() -> None:
    agent = judge(ANSWER)
    result = result_of(agent)

    assert repr(result) == (
        "RunResult(ensemble='panel', status='completed', agents=1, cost_usd=None, run_id='20261127-1',"
        " answer='# Yes Because the market grows. More reasons. More reasons.…')"
    )
    assert repr(agent).startswith("AgentResult(name='judge', status='completed', model='model-1', cost_usd=None, ")
    assert len(repr(agent)) < 200


def test_printed_it_is_its_answer() -> None:
    assert str(result_of(judge(ANSWER))) == ANSWER
    assert str(judge(ANSWER)) == ANSWER


def test_without_an_answer_it_says_why() -> None:
    result = result_of(judge(None, ErrorInfo("rate_limited", "the provider is busy", "Try later.", exit_code=5)))

    assert "status='failed'" in str(result)
    assert "the provider is busy" in str(result["judge"])
    assert "**`judge`:** the provider is busy" in result._repr_markdown_()


def test_a_notebook_shows_the_answer_as_markdown_and_what_it_cost() -> None:
    shown = result_of(judge("# Yes\n\nBecause."), sandbox=True)._repr_markdown_()

    assert shown.startswith("# Yes\n\nBecause.\n\n---\n\n")
    assert "cost unknown" in shown
    assert "sandbox" in shown


def test_an_ensemble_is_shown_by_its_agents_names() -> None:
    ensemble = llm_orc.Ensemble(
        "panel", (llm_orc.AgentSpec("a"), llm_orc.AgentSpec("b")), description="long " * 99
    )

    assert repr(ensemble) == "Ensemble(name='panel', agents=['a', 'b'])"


def test_run_sync_in_a_running_loop_says_to_await_run() -> None:
    async def cell() -> None:
        llm_orc.run_sync("panel", "task", rehearse=True)

    with pytest.raises(RuntimeError, match=r"result = await llm_orc\.run\(\.\.\.\)"):
        asyncio.run(cell())
