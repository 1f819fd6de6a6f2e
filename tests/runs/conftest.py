"""Journals in temporary folders, and runs of a few events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import AgentFinished, AgentStarted, ModelChosen, RecordedEvent, RunFinished, RunStarted
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.runs.journal import Journal, NewRun
from llm_orc.runs.recipe import Recipe, encode_recipe

ACCESS = Access("pretend", "none", Billing.LOCAL, "no credential needed", "http://127.0.0.1:1")


def output(text: str, cost_usd: float | None = 0.0) -> AgentOutput:
    return AgentOutput(text, (ModelCall("model-1", ACCESS, cost_usd=cost_usd),))


def recipe(*agents: str) -> Recipe:
    ensemble = Ensemble("panel", tuple(AgentSpec(name) for name in agents))
    return Recipe(ensemble, "the task", dict.fromkeys(agents, ()))


def new_run(run_id: str, *agents: str, started_at: float = 1000.0) -> NewRun:
    return NewRun(run_id, "panel", started_at, len(agents), False, encode_recipe(recipe(*agents)))


def events_of_a_run(run_id: str, *agents: str) -> list[RecordedEvent]:
    events: list[RecordedEvent] = [RunStarted(1000.0, run_id, "panel", agents, "the task")]
    for name in agents:
        events.append(AgentStarted(1001.0, AgentPath(name), "model"))
        events.append(ModelChosen(1001.0, AgentPath(name), "model-1", ACCESS))
        events.append(AgentFinished(1002.0, AgentPath(name), 1.0, output(f"answer of {name}")))
    events.append(RunFinished(1003.0, "completed", 3.0))
    return events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "runs.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()
