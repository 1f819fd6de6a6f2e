"""Text and Markdown: what a person reads, and what a shell script greps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from llm_orc.agents.output import ModelCall
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import ErrorInfo
from llm_orc.formats.figures import charge, dollars, most_dollars, seconds
from llm_orc.formats.markdown import as_markdown
from llm_orc.formats.sentences import total_figures
from llm_orc.formats.text import as_text
from llm_orc.providers.base import Usage
from llm_orc.runs.results import AgentResult, RunResult
from tests.formats.results import results


@given(results())
def test_text_ends_with_the_status(result: RunResult) -> None:
    assert as_text(result).split("\n")[-2:] == [f"Status: {result.status}", ""]


def test_the_summary_says_what_each_agent_took_and_who_pays(result: RunResult) -> None:
    lines = as_text(result).splitlines()

    assert (
        "analyst   completed  some-model · 1,204 tokens in (1,000 cached), 310 out · 3.2 s · 2 attempts · metered $0.0031"
        in lines
    )
    assert (
        "marketer  completed  some-model · 1,204 tokens in (1,000 cached), 310 out · 2.5 s · 2 attempts · local"
        in lines
    )
    assert "lawyer    failed     some-model · 3.5 s · `openai` allows no more calls now" in lines
    assert "chair     skipped    no answer from `lawyer`" in lines
    assert "Total: 2 calls, 2,408 tokens in, 620 out · 3.8 s · metered $0.0031 (1 call) · local (1 call)" in lines


def test_text_says_why_an_answer_is_missing(result: RunResult) -> None:
    text = as_text(result)

    assert "=== lawyer (failed)\n\nrate_limited: `openai` allows no more calls now\nhint: wait\n" in text
    assert "=== chair (skipped)\n\nSkipped: there is no answer from `lawyer`.\n" in text


def test_a_row_of_a_markdown_table_says_it_too(result: RunResult) -> None:
    rows = as_markdown(result).splitlines()

    assert any(
        row.startswith("| lawyer | failed: `openai` allows no more calls now | some-model |") for row in rows
    )
    assert any(row.startswith("| chair | skipped: no answer from `lawyer` |") for row in rows)


def test_text_of_a_stopped_run_says_what_stopped_it(result: RunResult) -> None:
    stopped = replace(result, error=ErrorInfo("interrupted", "stopped by Ctrl-C", "llm-orc resume run-1", 130))

    assert "interrupted: stopped by Ctrl-C\nhint: llm-orc resume run-1\nRun: run-1\n" in as_text(stopped)


def test_an_answer_cut_at_the_limit_is_marked(result: RunResult) -> None:
    cut = replace(result, agents=(replace(result["analyst"], stop_reason="max_tokens"),))

    assert "cut at max_tokens" in as_text(cut)


def test_a_run_that_was_not_kept_says_so(result: RunResult) -> None:
    assert "Run: run-1 (not recorded)" in as_text(replace(result, recorded=False))


def test_a_markdown_table_survives_pipes_in_names(result: RunResult) -> None:
    strange = replace(result, agents=(replace(result["analyst"], model="a|b\nc"),))

    row = next(line for line in as_markdown(strange).splitlines() if line.startswith("| analyst"))

    assert row == "| analyst | completed | a\\|b c | 1,204 | 310 | 3.2 s | metered $0.0031 |"


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_seconds_read_as_people_say_them(duration_s: float, words: str) -> None:
    assert seconds(duration_s) == words


@pytest.mark.parametrize(
    ("cost_usd", "words"),
    [
        (None, "cost unknown"),
        (0.0, "$0"),
        (1234.5, "$1,234.50"),
        (0.01, "$0.01"),
        (0.0031, "$0.0031"),
        (0.00002, "$0.000020"),
        (0.0000001, "<$0.000001"),
    ],
)
def test_small_costs_are_not_rounded_to_nothing(cost_usd: float | None, words: str) -> None:
    assert dollars(cost_usd) == words


def test_a_subscription_is_not_shown_as_a_price() -> None:
    assert charge("subscription", 0.0) == "subscription"
    assert charge("metered", None) == "metered cost unknown"
    assert charge("plan-credits", None) == "plan-credits, cost unknown"


def test_what_is_not_known_of_a_cost_is_said_in_the_total() -> None:
    paid = Access("p", "api-key", Billing.METERED, "a key", "https://p.example")
    known = agent_result("a", paid, Usage(1000, 20), 0.02)
    unknown = agent_result("b", paid, Usage(500, None), None)
    result = RunResult("r", "e", "completed", "t", (known, unknown), 0.0, 1.0, unanswered=2, counted_usd=0.61)

    assert total_figures(result) == [
        "2 calls, 1,500+? tokens in, 20+? out",
        "1.0 s",
        "metered $0.02+? (2 calls, 1 of unknown cost, and 2 attempts without an answer that may be billed)",
        "at most $0.61",
    ]
    assert "500 tokens in, ? out" in as_text(result)
    assert "metered cost unknown" in as_markdown(result)


def test_a_limit_of_money_is_not_said_to_bind_calls_on_a_plans_credits() -> None:
    on_plan = agent_result(
        "a", Access("p", "oauth", Billing.PLAN_CREDITS, "", "https://p.example"), Usage(9, 9), None
    )
    paid = agent_result(
        "b", Access("q", "api-key", Billing.METERED, "", "https://q.example"), Usage(9, None), None
    )
    only_plan = RunResult("r", "e", "completed", "t", (on_plan,), 0.0, 1.0, counted_usd=0.0)
    both = RunResult("r", "e", "completed", "t", (on_plan, paid), 0.0, 1.0, counted_usd=0.61)

    assert total_figures(only_plan)[2:] == ["plan-credits cost unknown (1 call, 1 of unknown cost)"]
    assert total_figures(both)[-1] == "metered at most $0.61"
    assert "plan-credits, cost unknown" in as_text(only_plan)
    assert only_plan.total.cost_usd is None


def agent_result(name: str, access: Access, usage: Usage, cost_usd: float | None) -> AgentResult:
    calls = (ModelCall("m", access, usage, cost_usd),)
    return AgentResult(
        name, "completed", "yes", "m", access, usage, cost_usd, "end_turn", 0.0, 1.0, 1, calls=calls
    )


@pytest.mark.parametrize(("cost_usd", "words"), [(0.0919, "$0.10"), (0.07, "$0.07"), (0.61, "$0.61"), (0.0, "$0")])
def test_a_bound_is_rounded_up(cost_usd: float, words: str) -> None:
    assert most_dollars(cost_usd) == words
