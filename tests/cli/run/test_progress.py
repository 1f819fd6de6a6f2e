"""The live view fits any terminal, shows what matters, and costs the same for five thousand agents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access, Billing
from llm_orc.cli.run.plain_view import plain_words
from llm_orc.cli.run.progress import RunProgress, width_of
from llm_orc.cli.shell.output.tables import cell_width
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentSkipped,
    AgentStarted,
    ErrorInfo,
    ItemsStarted,
    ModelChosen,
    ModelRetrying,
    PlanWaitEnded,
    PlanWaitStarted,
    RoundStarted,
    RunStarted,
)
from llm_orc.providers.base import Usage

ACCESS = Access(
    "openai", "api-key", Billing.METERED, "environment variable OPENAI_API_KEY", "https://example.test"
)
ERROR = ErrorInfo(code="rate_limited", message="`openai` allows no more calls now")


def progress_of(*agents: str, sandbox: bool = False) -> RunProgress:
    progress = RunProgress()
    progress.apply(RunStarted(at=100.0, run_id="r", ensemble="panel", agents=agents, task="t", sandbox=sandbox))
    return progress


def start(progress: RunProgress, *agents: str) -> None:
    for agent in agents:
        progress.apply(AgentStarted(101.0, AgentPath(agent), "model"))
        progress.apply(ModelChosen(101.0, AgentPath(agent), "some-model", ACCESS))


def finish(progress: RunProgress, agent: str) -> None:
    output = AgentOutput(
        "yes", (ModelCall("some-model", ACCESS, Usage(input_tokens=1200, output_tokens=34), cost_usd=0.0031),)
    )
    progress.apply(AgentFinished(at=103.0, agent=AgentPath(agent), duration_s=2.0, output=output))


def drawn(progress: RunProgress, width: int = 100, height: int = 24, now: float = 104.0) -> str:
    return "\n".join(f"{line.mark} {line.text}" for line in progress.lines(width, height, now))


def test_each_agent_has_a_line_with_its_state_text_tokens_time_and_cost() -> None:
    progress = progress_of("analyst", "marketer", "lawyer", "chair", "clerk")
    start(progress, "analyst", "marketer", "lawyer")
    progress.apply(AgentDelta(AgentPath("marketer"), "Sell it\n"))
    progress.apply(AgentDelta(AgentPath("marketer"), "now."))
    finish(progress, "analyst")
    progress.apply(AgentFailed(at=104.0, agent=AgentPath("lawyer"), duration_s=3.0, error=ERROR))
    progress.apply(AgentSkipped(at=104.0, agent=AgentPath("chair"), because=("lawyer",)))

    assert drawn(progress).splitlines() == [
        "panel 3 of 5 agents, 4.0 s, 1 running, 1 failed, 1 skipped, 1,234 tokens, $0.0031",
        "✓ analyst   2.0 s       1,200 in, 34 out  metered $0.0031",
        "● marketer  3.0 s       Sell it now.",
        "✗ lawyer    failed: `openai` allows no more calls now",
        "- chair     skipped: no answer from `lawyer`",
        "· clerk     waiting",
    ]


def test_a_retry_shows_its_reason_and_not_the_void_text() -> None:
    progress = progress_of("analyst")
    start(progress, "analyst")
    progress.apply(AgentDelta(AgentPath("analyst"), "void"))
    progress.apply(ModelRetrying(at=102.0, agent=AgentPath("analyst"), attempt=2, delay_s=9.0, error=ERROR))

    assert "attempt 2 in 7.0 s: `openai` allows no more calls now" in drawn(progress, now=104.0)
    assert "attempt 2 in 6.0 s: " in drawn(progress, now=105.0)
    assert "attempt 2: `openai`" in drawn(progress, now=112.0)
    assert "attempt 2 in 7.0 s" in drawn(progress, now=104.0, width=40)
    assert "void" not in drawn(progress)


@pytest.mark.parametrize("width", [40, 50, 60, 80, 120])
def test_who_has_no_answer_says_why_at_any_width(width: int) -> None:
    progress = progress_of("analyst", "chair")
    start(progress, "analyst")
    progress.apply(AgentFailed(at=104.0, agent=AgentPath("analyst"), duration_s=3.0, error=ERROR))
    progress.apply(AgentSkipped(at=104.0, agent=AgentPath("chair"), because=("analyst",)))

    _, failed, skipped = drawn(progress, width=width).splitlines()

    assert failed.startswith("✗ analyst  failed: `openai` allows")
    assert skipped.startswith("- chair    skipped: no answer")
    assert failed.endswith("now") or (failed.endswith("…") and cell_width(failed) == width)


def test_agents_that_have_ended_leave_one_line_each() -> None:
    progress = progress_of("analyst", "lawyer", "chair")
    start(progress, "analyst", "lawyer")
    finish(progress, "analyst")
    progress.apply(AgentFailed(at=104.0, agent=AgentPath("lawyer"), duration_s=3.0, error=ERROR))

    assert list(progress.ended(80)) == ["analyst", "lawyer"]
    assert list(progress.ended(80, {"analyst"})) == ["lawyer"]


def test_of_a_large_run_only_failures_leave_lines() -> None:
    names = [f"agent-{number}" for number in range(100)]
    progress = progress_of(*names)
    start(progress, *names)
    finish(progress, "agent-1")
    progress.apply(AgentFailed(at=104.0, agent=AgentPath("agent-7"), duration_s=3.0, error=ERROR))

    assert list(progress.ended(80)) == ["agent-7"]


def test_an_agent_that_waits_for_its_plan_counts_down() -> None:
    progress = progress_of("analyst", "clerk")
    start(progress, "analyst")
    wait = PlanWaitStarted(102.0, AgentPath("analyst"), ACCESS, None, 3704.0, is_told=True, error=ERROR)
    progress.apply(wait)

    shown = drawn(progress, now=104.0)
    assert "1 waiting for a plan" in shown
    assert "waits for the plan of `openai`, which resets at 1970-01-01 01:01 UTC (in 1 h 00 min)" in shown
    assert "in 59 min 55 s" in drawn(progress, now=109.0)
    assert "in 1 h 00 min" in drawn(progress, width=40)

    progress.apply(PlanWaitEnded(3704.0, AgentPath("analyst")))
    assert "1 running" in drawn(progress, now=3705.0)


def test_long_text_shows_its_end() -> None:
    progress = progress_of("analyst")
    start(progress, "analyst")
    progress.apply(AgentDelta(AgentPath("analyst"), "beginning " + "x" * 300 + " the end"))

    line = drawn(progress, width=80).splitlines()[1]

    assert line.endswith(" the end")
    assert "…x" in line
    assert "beginning" not in line


def test_a_narrow_terminal_gets_a_name_and_one_figure() -> None:
    progress = progress_of("financial-analyst", "chair")
    start(progress, "financial-analyst")
    progress.apply(AgentDelta(AgentPath("financial-analyst"), "some text"))

    assert drawn(progress, width=50).splitlines()[1:] == [
        "● financial-analyst  3.0 s",
        "· chair              waiting",
    ]


def test_more_agents_than_rows_show_the_active_and_the_failed_ones() -> None:
    names = [f"agent-{number:04}" for number in range(5000)]
    progress = progress_of(*names)
    start(progress, "agent-0007", "agent-4000", "agent-4999")
    progress.apply(AgentFailed(at=102.0, agent=AgentPath("agent-4000"), duration_s=1.0, error=ERROR))

    lines = drawn(progress, height=10).splitlines()

    assert lines[0].startswith("panel 1 of 5,000 agents, 4.0 s, 2 running, 1 failed")
    assert [line.split()[1] for line in lines[1:4]] == ["agent-0007", "agent-4999", "agent-4000"]
    assert lines[4].strip() == "and 4,997 more agents"


def test_a_resumed_run_starts_with_what_was_finished_before() -> None:
    progress = progress_of("analyst", "chair")
    start(progress, "analyst", "chair")
    finish(progress, "analyst")
    progress.apply(
        RunStarted(
            at=200.0, run_id="r", ensemble="panel", agents=("analyst", "chair"), task="t", resumed=("analyst",)
        )
    )

    assert drawn(progress, now=201.0).startswith("panel 1 of 2 agents, 1.0 s")


def test_a_rehearsal_is_called_so_all_the_time() -> None:
    assert drawn(progress_of("a", sandbox=True)).startswith("SANDBOX panel")


texts = st.text(max_size=200)
agent_names = st.lists(
    st.from_regex(r"[a-z][a-z0-9-]{0,40}", fullmatch=True), min_size=1, max_size=12, unique=True
)


@given(names=agent_names, text=texts, width=st.integers(20, 200), height=st.integers(2, 30))
def test_no_line_is_wider_than_the_terminal_and_none_too_many(
    names: list[str], text: str, width: int, height: int
) -> None:
    progress = progress_of(*names)
    start(progress, names[0])
    progress.apply(AgentDelta(AgentPath(names[0]), text))
    if len(names) > 1:
        start(progress, names[1])
        finish(progress, names[1])

    lines = progress.lines(width, height, 104.0)

    assert width_of(lines) <= width
    assert len(lines) <= height
    assert all(line.text.isprintable() or not any(ord(c) < 32 for c in line.text) for line in lines)


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)])
def test_width_is_counted_in_terminal_cells(text: str, cells: int) -> None:
    assert cell_width(text) == cells


def test_a_cost_that_is_not_wholly_known_is_marked_as_it_goes() -> None:
    progress = progress_of("analyst", "lawyer", "chair")
    start(progress, "analyst", "lawyer", "chair")
    finish(progress, "analyst")
    assert "$0.0031" in drawn(progress)
    assert "+?" not in drawn(progress)

    cut = ErrorInfo(code="reply_cut", message="the connection ended", may_be_billed=True)
    progress.apply(ModelRetrying(at=103.0, agent=AgentPath("lawyer"), attempt=2, delay_s=0.0, error=cut))
    uncounted = AgentOutput("yes", (ModelCall("some-model", ACCESS, Usage(), cost_usd=None),))
    progress.apply(AgentFinished(at=104.0, agent=AgentPath("chair"), duration_s=2.0, output=uncounted))

    assert "1,234+? tokens, $0.0031+?" in drawn(progress)
    assert "? in, ? out  metered cost unknown" in drawn(progress)


def test_many_items_of_an_agent_are_one_line_of_counts() -> None:
    progress = progress_of("review", "report")
    start(progress, "review")
    progress.apply(ItemsStarted(101.0, AgentPath("review"), 1000))
    for number in range(45):
        start(progress, f"review[{number}]", f"review[{number}]/judge")
    for number in range(35):
        finish(progress, f"review[{number}]")
    for number in (35, 36):
        progress.apply(AgentFailed(104.0, AgentPath(f"review[{number}]"), 3.0, ERROR))

    lines = drawn(progress).splitlines()

    assert lines[0].startswith("panel 0 of 2 agents, 4.0 s, 1 running, ")
    assert lines[1:] == ["● review  3.0 s       37/1,000 · 2 failed · 8 running", "· report  waiting"]
    assert "37/1,000 · 2 failed · 8 running" in drawn(progress, width=58)


def test_few_items_have_a_line_each_below_their_agent() -> None:
    progress = progress_of("review", "report")
    start(progress, "review")
    progress.apply(ItemsStarted(101.0, AgentPath("review"), 2))
    start(progress, "review[1]", "review[0]")

    names = [line.split()[1] for line in drawn(progress).splitlines()[1:]]

    assert names == ["review", "review[1]", "review[0]", "report"]


def test_earlier_rounds_of_a_loop_are_one_line_with_the_present_one() -> None:
    progress = progress_of("revise", "report")
    start(progress, "revise")
    for number in (1, 2, 3):
        progress.apply(RoundStarted(101.0, AgentPath("revise"), number, 5))
        for name in ("writer", "judge"):
            start(progress, f"revise[{number}]/{name}")
            if number < 3:
                finish(progress, f"revise[{number}]/{name}")

    assert [line.split() for line in drawn(progress).splitlines()] == [
        ["panel", "0", "of", "4", "agents,", "4.0", "s,", "3", "running,", "4,936", "tokens,", "$0.01"],
        ["●", "revise", "3.0", "s", "round", "3", "of", "5"],
        ["●", "revise[3]/writer", "3.0", "s", "some-model"],
        ["●", "revise[3]/judge", "3.0", "s", "some-model"],
        ["·", "report", "waiting"],
    ]
    assert drawn(progress, width=58).splitlines()[1].split() == ["●", "revise", "round", "3", "of", "5"]


def test_a_resumed_run_shows_the_present_round_only() -> None:
    progress = progress_of("revise")
    start(progress, "revise", "revise[1]/writer", "revise[2]/writer")
    for number in (1, 2):
        finish(progress, f"revise[{number}]/writer")
    known = ("revise[1]/writer", "revise[2]/writer")
    progress.apply(RunStarted(105.0, "r", "panel", ("revise",), "t", resumed=known))
    start(progress, "revise")
    for number in (1, 2, 3):
        progress.apply(RoundStarted(106.0, AgentPath("revise"), number, 5))

    assert [line.split()[1] for line in drawn(progress).splitlines()[1:]] == ["revise"]


def test_agents_within_others_are_not_counted_as_the_ensembles_own() -> None:
    resumed = ("a", "b", "b[1]/x", "b[1]/y")

    words = plain_words(RunStarted(0.0, "run-1", "polish", ("a", "b", "c"), "Go", resumed=resumed))

    assert words == "polish: 2 of 3 agents already finished, and 2 within them"
