"""Who answers what an agent asks: the person here, somebody elsewhere, or the time; and exactly one of them."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llm_orc.app.approvals.answers import GivenAnswer
from llm_orc.app.approvals.desk import Reply
from llm_orc.app.history.approvals import answer_run, question_of, record_answer, waiting_run
from llm_orc.app.history.runs import get_run
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.engine.events import ApprovalAsked
from llm_orc.errors import AlreadyAnswered, ApprovalExpired, InputError, LlmOrcError
from tests.fakes.clocks import SetClock

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.app.approvals.desk import AskHere
    from llm_orc.app.wiring import App
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.results import RunResult
    from tests.app.conftest import Workspace

TWO_DAYS_S = 2 * 86_400.0
APPROVE = GivenAnswer("approve", by="ada")


def asking(workspace: Workspace, **more: object) -> App:
    """An app whose clock a test sets, with the ensemble `ship`."""
    workspace.environ = {"PATH": os.environ["PATH"]}
    workspace.ensemble(
        "ship",
        {"name": "ok", "approval": {"message": "Publish ${task}?", **more}},
        {"name": "after", "approval": {"message": "${ok.choice} by ${ok.by}: ${ok.text}. Right?"}},
        task="required",
    )
    return replace(workspace.app(), clock=SetClock())  # type: ignore[arg-type]


async def started(
    app: App, ask: AskHere | None = None, name: str = "ship", *, record: bool | None = None
) -> RunResult:
    ensemble = find_ensemble(app, name)
    return await run_ensemble(app, ensemble, RunOptions("it", record=record), RunListener(ask=ask))


def at(app: App, passed_s: float) -> App:
    return replace(app, clock=SetClock(passed_s))  # type: ignore[arg-type]


def question(result: RunResult, agent: str) -> str:
    asked = result[agent].asked
    assert asked is not None
    return asked.message


async def test_an_answer_from_elsewhere_goes_on_with_the_run(workspace: Workspace) -> None:
    app = asking(workspace)
    parked = await started(app)
    seen: list[RunEvent] = []

    result = await answer_run(
        app, "last", None, replace(APPROVE, text="nice"), ResumeOptions(), listener=RunListener(seen.append)
    )

    assert (parked.status, parked.exit_code) == ("waiting", 6)
    assert question(parked, "ok") == "Publish it?"
    assert result.status == "waiting"
    assert question(result, "after") == "approve by ada: nice. Right?"
    assert result["ok"].data == {"choice": "approve", "text": "nice", "by": "ada", "at": app.clock.now()}


async def test_the_person_here_is_asked_one_after_the_other(workspace: Workspace) -> None:
    app = asking(workspace)
    asked: list[str] = []

    async def ask(one: ApprovalAsked) -> Reply:
        asked.append(one.message)
        return Reply("reject")

    result = await started(app, ask)

    assert result.status == "completed"
    assert asked[0] == "Publish it?"
    assert asked[1].startswith("reject by ")
    assert [answer.response for answer in result.agents] == ["reject", "reject"]


async def test_a_run_without_a_record_may_ask_the_person_here_alone(workspace: Workspace) -> None:
    app = asking(workspace)

    async def ask(_one: ApprovalAsked) -> Reply:
        return Reply("approve")

    result = await started(app, ask, record=False)
    with pytest.raises(InputError, match="without a record"):
        await started(app, record=False)

    assert result.status == "completed"


async def test_the_time_counts_from_the_first_asking_over_all_attempts(workspace: Workspace) -> None:
    app = asking(workspace, within="2d", otherwise="reject")
    parked = await started(app)

    early = await resume_run(at(app, TWO_DAYS_S - 1), ResumeOptions(parked.run_id))
    late = await resume_run(at(app, TWO_DAYS_S), ResumeOptions(parked.run_id))

    assert early["ok"].status == "waiting"
    assert early["ok"].asked == parked["ok"].asked
    assert late["ok"].data == {
        "choice": "reject",
        "text": None,
        "by": "otherwise",
        "at": at(app, TWO_DAYS_S).clock.now(),
    }
    assert late["ok"].answered is not None


async def test_without_otherwise_the_agent_fails_when_the_time_has_passed(workspace: Workspace) -> None:
    app = asking(workspace, within="1h")
    parked = await started(app)

    late = await resume_run(at(app, 3600), ResumeOptions(parked.run_id))

    error = late["ok"].error
    assert late.status == "failed"
    assert error is not None
    assert (error.code, late["after"].status) == ("approval_expired", "skipped")
    assert error.hint is not None
    assert f"llm-orc resume {parked.run_id}" in error.hint

    again = await resume_run(at(app, 3601), ResumeOptions(parked.run_id))
    assert again["ok"].status == "waiting"
    assert again["ok"].asked is not None
    assert again["ok"].asked.deadline == at(app, 7201).clock.now()
    answered = await answer_run(at(app, 3602), parked.run_id, None, APPROVE, ResumeOptions())
    assert answered["ok"].response == "approve"


@pytest.mark.parametrize("otherwise", ["reject", None])
async def test_an_answer_that_is_too_late_is_refused(workspace: Workspace, otherwise: str | None) -> None:
    app = asking(workspace, within="1h", **({"otherwise": otherwise} if otherwise else {}))
    parked = await started(app)
    asked = question_of(waiting_run(app, parked.run_id), "ok")

    with pytest.raises(AlreadyAnswered if otherwise else ApprovalExpired):
        record_answer(at(app, 3600), parked.run_id, asked, APPROVE)

    resumed = await resume_run(at(app, 3601), ResumeOptions(parked.run_id))
    assert resumed["ok"].response == otherwise


async def test_the_time_passes_while_the_person_here_thinks(workspace: Workspace) -> None:
    app = asking(workspace, within="1h", otherwise="reject")
    was_cancelled = asyncio.Event()

    async def ask(one: ApprovalAsked) -> Reply | None:
        if one.agent == "after":
            return None
        app.clock.passed_s = 3600.0  # type: ignore[attr-defined]
        try:
            await asyncio.sleep(60)
        finally:
            was_cancelled.set()
        return Reply("approve")

    result = await started(app, ask)

    assert was_cancelled.is_set()
    assert result["ok"].response == "reject"


async def test_of_many_who_answer_at_once_one_does_and_the_others_are_told_who(workspace: Workspace) -> None:
    app = asking(workspace)
    run_id = (await started(app)).run_id
    asked = question_of(waiting_run(app, run_id), "ok")

    def give(number: int) -> str | LlmOrcError:
        try:
            answer = record_answer(app, run_id, asked, GivenAnswer("approve", by=f"p{number}"))
        except LlmOrcError as e:
            return e
        return answer.by

    outcomes = await asyncio.gather(*(asyncio.to_thread(give, number) for number in range(8)))

    (winner,) = [one for one in outcomes if isinstance(one, str)]
    losers = [one for one in outcomes if isinstance(one, AlreadyAnswered)]
    assert len(losers) == 7
    assert all(f"was answered by {winner} " in one.message for one in losers)
    assert (await resume_run(app, ResumeOptions(run_id)))["ok"].data == {
        "choice": "approve",
        "text": None,
        "by": winner,
        "at": app.clock.now(),
    }


async def test_the_person_here_is_told_that_somebody_else_was_first(workspace: Workspace) -> None:
    app = asking(workspace)
    told: list[str] = []

    async def ask(one: ApprovalAsked) -> Reply | None:
        if one.agent == "after":
            return None
        run_id = get_run(app, "last").summary.run_id
        await asyncio.to_thread(record_answer, app, run_id, one, APPROVE)
        return Reply("reject")

    listener = RunListener(waiting=told.append, ask=ask)
    result = await run_ensemble(app, find_ensemble(app, "ship"), RunOptions("it"), listener)

    assert result["ok"].response == "approve"
    assert told == ["ok: ada was first: approve"]


async def answered_while_it_runs(app: App, ensemble: str, go: Path) -> RunResult:
    """Run the ensemble; when it asks, approve as from another process, and create `go`, which its scripts await."""
    is_asked = asyncio.Event()

    async def answer_soon() -> None:
        await is_asked.wait()
        record = get_run(app, "last")
        await asyncio.to_thread(record_answer, app, record.summary.run_id, question_of(record, None), APPROVE)
        await asyncio.to_thread(go.touch)

    listener = RunListener(lambda event: is_asked.set() if isinstance(event, ApprovalAsked) else None)
    going = run_ensemble(app, find_ensemble(app, ensemble), RunOptions("it"), listener)
    result, _ = await asyncio.gather(going, answer_soon())
    return result


async def test_an_answer_that_comes_while_others_are_at_work_is_taken_at_the_end(workspace: Workspace) -> None:
    app = asking(workspace)
    go = workspace.root / "go"
    workspace.ensemble(
        "busy",
        {"name": "ok", "approval": "Go?"},
        {"name": "work", "script": ["sh", "-c", f"until [ -e '{go}' ]; do sleep 0.01; done; echo done"]},
        {"name": "end", "script": ["cat"], "stdin": "${ok} ${work}"},
    )

    result = await answered_while_it_runs(app, "busy", go)

    assert result.status == "completed"
    assert (result["end"].response or "").split() == ["approve", "done"]
    assert get_run(app, "last").summary.status == "completed"


@pytest.mark.skipif(sys.platform == "win32", reason="the programs here are a POSIX system's")
async def test_an_agent_that_started_without_another_goes_on_without_it_after_the_answer(
    workspace: Workspace,
) -> None:
    app = asking(workspace)
    go = workspace.root / "go"
    workspace.ensemble(
        "panel",
        {"name": "ok", "approval": "Go?"},
        {"name": "end", "script": ["cat"], "stdin": "${task}", "depends_on": ["ok"]},
    )
    workspace.ensemble(
        "late",
        {"name": "early", "script": ["echo", "early words"]},
        {"name": "slow", "script": ["sh", "-c", f"until [ -e '{go}' ]; do sleep 0.01; done; echo slow words"]},
        {"name": "chair", "ensemble": "panel", "depends_on": ["early", "slow"], "within": 1},
    )
    result = await answered_while_it_runs(app, "late", go)

    assert result.status == "completed"
    assert "slow words" not in (result["chair/end"].response or "")
    assert result["slow"].late_for == ("chair",)


async def test_a_question_within_another_agent_is_answered_by_its_path(workspace: Workspace) -> None:
    app = asking(workspace)
    workspace.ensemble("outer", {"name": "panel", "ensemble": "ship", "task": "this"})
    parked = await started(app, name="outer")

    once = await answer_run(app, parked.run_id, "panel/ok", APPROVE, ResumeOptions())
    twice = await answer_run(app, parked.run_id, "panel/after", GivenAnswer("reject"), ResumeOptions())

    assert {agent.name: agent.status for agent in parked.agents} == {"panel": "waiting", "panel/ok": "waiting"}
    assert once["panel/after"].status == "waiting"
    assert (twice.status, twice.answer) == ("completed", "reject")


@pytest.mark.parametrize(
    ("agent", "given", "why"),
    [
        ("nobody", APPROVE, "agent `nobody` of run"),
        ("ok", GivenAnswer("maybe"), "`maybe` is none of them"),
        ("ok", GivenAnswer(text="yes"), "none is given"),
        ("title", APPROVE, "in your own words"),
        ("title", GivenAnswer(text=" "), "in your own words"),
        (None, APPROVE, "2 agents of run"),
    ],
)
async def test_what_is_no_answer_is_refused_and_nothing_recorded(
    workspace: Workspace, agent: str | None, given: GivenAnswer, why: str
) -> None:
    app = asking(workspace)
    title = {"name": "title", "approval": {"message": "Title?", "ask": "text"}}
    workspace.ensemble("two", {"name": "ok", "approval": "Go?"}, title)
    parked = await started(app, name="two")

    with pytest.raises(InputError, match=why):
        await answer_run(app, parked.run_id, agent, given, ResumeOptions())

    assert len(get_run(app, parked.run_id).state.open_questions) == 2


async def test_each_item_of_a_fan_out_is_asked_about_and_answered_by_itself(workspace: Workspace) -> None:
    app = asking(workspace)
    workspace.ensemble(
        "keep",
        {"name": "ok", "approval": "Keep ${item}?", "fan_out": {"over": "${inputs.names}"}},
        {"name": "end", "script": ["cat"], "stdin": "${ok.0.choice} ${ok.1.choice}"},
        inputs={"names": {"type": "array", "default": ["a", "b"]}},
    )
    parked = await started(app, name="keep")

    await answer_run(app, parked.run_id, "ok[1]", GivenAnswer("reject"), None)
    result = await answer_run(app, parked.run_id, "ok[0]", APPROVE, ResumeOptions())

    assert [question(parked, f"ok[{i}]") for i in range(2)] == ["Keep a?", "Keep b?"]
    assert (parked["ok"].status, parked["ok"].reason) == ("waiting", "dependency")
    assert (result.status, result.answer) == ("completed", "approve reject")
