"""Agents that run within others are in the record of a run; its row counts the ensemble's own."""

from __future__ import annotations

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.engine.events import AgentFinished, AgentStarted, RecordedEvent, RunFinished, RunStarted
from llm_orc.runs.journal import Journal
from llm_orc.runs.recipe import load_run
from llm_orc.runs.record import Recorder
from tests.runs.conftest import new_run

PATHS = ("a", "a/inner", "a[1]", "a[1]/inner", "b")


def events() -> list[RecordedEvent]:
    made: list[RecordedEvent] = [RunStarted(1.0, "run-1", "panel", ("a", "b", "c"), "the task")]
    for path in map(AgentPath, PATHS):
        made.append(AgentStarted(2.0, path, "model"))
        made.append(AgentFinished(3.0, path, 1.0, AgentOutput(f"of {path}", ())))
    return made


async def test_a_run_that_is_going_on_and_one_that_has_ended_count_their_own_agents(journal: Journal) -> None:
    journal.begin(new_run("run-1", "a", "b", "c"))
    recorder = Recorder(journal, "run-1", lambda _event: None)

    for event in events():
        await recorder.commit(event)
    going_on = journal.finished_agents("run-1")
    await recorder.commit(RunFinished(4.0, "completed_with_errors", 3.0))

    assert going_on == 2
    [row] = journal.runs()
    assert (row.agents, row.finished) == (3, 2)
    state = load_run(journal, "run-1").state
    assert state.finished_agents == 2
    assert [agent.name for agent in state.own_agents] == ["a", "b", "c"]
    assert {path: output.text for path, output in state.outputs.items()} == {path: f"of {path}" for path in PATHS}
