"""Runs that an earlier release stored: listed, shown, resumed and forked like those of now."""

from __future__ import annotations

import pytest

from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.history.runs import get_run, list_runs
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.wiring import App
from llm_orc.engine.events import AgentStarted, RunEvent
from llm_orc.formats.text import as_text
from tests.app.conftest import Workspace
from tests.runs.stored import restored

ENDED, STOPPED = "20260921-ended", "20260921-stopped"
KEPT = "Kept of the release before."


@pytest.fixture
def app(workspace: Workspace) -> App:
    app = workspace.app()
    restored("runs", app.paths.runs_database)
    return app


def test_they_are_listed_and_shown(app: App) -> None:
    listed = {run.run_id: (run.status, run.finished, run.agents) for run in list_runs(app)}
    shown = as_text(get_run(app, ENDED).result)

    assert listed == {ENDED: ("completed_with_errors", 2, 4), STOPPED: ("interrupted", 1, 4)}
    assert "=== analyst (cut at max_tokens)\n\nYes, for it pays.\n" in shown
    assert "metered $0.01+?" in shown


async def test_one_that_was_stopped_is_resumed_where_it_was(app: App) -> None:
    seen: list[RunEvent] = []

    result = await resume_run(app, ResumeOptions(STOPPED), RunListener(seen.append))

    assert (result.status, result["analyst"].response) == ("completed", KEPT)
    assert result.answered_by == "chair"
    assert [e.agent for e in seen if isinstance(e, AgentStarted)] == [
        *("analyst", "lawyer"),
        *("lawyer", "clerk", "chair"),
    ]
    again = get_run(app, STOPPED)
    assert again.result == result
    assert again.summary.status == "completed"


async def test_one_is_forked_with_the_answers_that_it_has(app: App) -> None:
    result = await fork_run(app, origin_of(app, STOPPED), ForkOptions(("lawyer",)))

    assert result.status == "completed"
    assert (result["analyst"].response, result["analyst"].is_kept) == (KEPT, True)
    assert [agent.name for agent in result.agents if not agent.is_kept] == ["lawyer", "clerk", "chair"]
