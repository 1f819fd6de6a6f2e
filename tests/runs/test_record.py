"""Recording: what has been shown is durable, in order, and a full disk loses no answer."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from llm_orc.agents.path import AgentPath
from llm_orc.engine.events import (
    AgentDelta,
    AgentFinished,
    ModelChosen,
    RunEvent,
    RunFinished,
    RunStarted,
)
from llm_orc.runs.journal import Journal
from llm_orc.runs.recipe import load_run
from llm_orc.runs.record import Recorder
from tests.runs.conftest import ACCESS, events_of_a_run, new_run, output


def stored_kinds(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        kinds = [kind for (kind,) in connection.execute("SELECT kind FROM events ORDER BY run, seq")]
    connection.close()
    return kinds


async def test_an_event_is_in_the_file_before_it_is_shown(journal: Journal, path: Path) -> None:
    journal.begin(new_run("run-1", "a"))
    in_file_when_shown: list[int] = []
    recorder = Recorder(journal, "run-1", lambda _event: in_file_when_shown.append(len(stored_kinds(path))))

    for event in events_of_a_run("run-1", "a"):
        await recorder.commit(event)

    assert in_file_when_shown == [1, 2, 3, 4, 5]


async def test_a_committed_event_is_durable_and_shown_when_the_wait_is_over(journal: Journal, path: Path) -> None:
    journal.begin(new_run("run-1", "a"))
    shown: list[RunEvent] = []
    recorder = Recorder(journal, "run-1", shown.append)
    *before, finished, _ = events_of_a_run("run-1", "a")

    for event in before:
        recorder.post(event)
    await recorder.commit(finished)

    assert shown == [*before, finished]
    assert stored_kinds(path) == ["run_started", "agent_started", "model_chosen", "agent_finished"]


async def test_deltas_keep_their_place_among_the_events_and_stay_out_of_the_file(
    journal: Journal, path: Path
) -> None:
    journal.begin(new_run("run-1", "a"))
    shown: list[RunEvent] = []
    recorder = Recorder(journal, "run-1", shown.append)
    started = ModelChosen(1.0, AgentPath("a"), "model-1", ACCESS)
    first, second, third = (AgentDelta(AgentPath("a"), text) for text in ("one", "two", "three"))
    finished = AgentFinished(2.0, AgentPath("a"), 1.0, output("onetwothree"))

    recorder.post(started)
    recorder.delta(first)
    recorder.delta(second)
    await recorder.commit(ModelChosen(1.5, AgentPath("b"), "model-1", ACCESS))
    recorder.delta(third)
    await recorder.commit(finished)

    assert [e for e in shown if getattr(e, "agent", "") == "a"] == [started, first, second, third, finished]
    assert "agent_delta" not in stored_kinds(path)
    assert len(stored_kinds(path)) == 3


async def test_many_at_once_are_all_kept_in_order(journal: Journal) -> None:
    names = [f"a{i}" for i in range(300)]
    journal.begin(new_run("run-1", *names))
    shown: list[RunEvent] = []
    recorder = Recorder(journal, "run-1", shown.append)
    await recorder.commit(RunStarted(1.0, "run-1", "panel", tuple(names), "the task"))

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(recorder.commit(AgentFinished(2.0, AgentPath(name), 1.0, output(name))))
    await recorder.commit(RunFinished(3.0, "completed", 2.0))

    stored = load_run(journal, "run-1")
    assert list(stored.events) == shown
    assert stored.row.status == "completed"
    assert stored.row.finished == 300


async def test_runs_side_by_side_in_one_journal_stay_apart(journal: Journal) -> None:
    ids = [f"run-{i}" for i in range(20)]
    for run_id in ids:
        journal.begin(new_run(run_id, "a", "b"))

    async def record(run_id: str) -> None:
        recorder = Recorder(journal, run_id, lambda _event: None)
        for event in events_of_a_run(run_id, "a", "b"):
            await recorder.commit(event)

    async with asyncio.TaskGroup() as group:
        for run_id in ids:
            group.create_task(record(run_id))

    for run_id in ids:
        assert list(load_run(journal, run_id).events) == events_of_a_run(run_id, "a", "b")


async def test_a_journal_that_fails_in_the_middle_still_lets_every_answer_through(journal: Journal) -> None:
    journal.begin(new_run("run-1", "a"))
    shown: list[RunEvent] = []
    recorder = Recorder(journal, "run-1", shown.append)
    start, started, _, finished, end = events_of_a_run("run-1", "a")
    await recorder.commit(start)
    journal.delete(["run-1"])  # another process deletes the run: from here on nothing can be written

    recorder.post(started)
    await recorder.commit(finished)
    await recorder.commit(end)

    assert shown == [start, started, finished, end]
    assert recorder.failure is not None
    assert "runs.sqlite" in recorder.failure.message


async def test_the_runs_cost_is_unknown_when_one_answers_is(journal: Journal) -> None:
    journal.begin(new_run("run-1", "a", "b"))
    recorder = Recorder(journal, "run-1", lambda _event: None)

    for agent, cost_usd in (("a", 0.5), ("b", None)):
        recorder.post(ModelChosen(1.0, AgentPath(agent), "model-1", ACCESS))
        recorder.post(AgentFinished(1.0, AgentPath(agent), 1.0, output("x", cost_usd=cost_usd)))
    await recorder.commit(RunFinished(2.0, "completed", 1.0))

    [row] = journal.runs()
    assert (row.cost_usd, row.known_cost_usd, row.unknown_costs) == (None, 0.5, 1)
    assert row.finished == 2
