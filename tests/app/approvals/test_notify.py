"""A command of the user's own settings is told when a run begins to wait; what goes wrong with it is said."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble

if TYPE_CHECKING:
    from llm_orc.runs.results import RunResult
    from tests.app.conftest import Workspace

PROGRAM = "import json, os, sys; json.dump({'env': dict(os.environ), **json.load(sys.stdin)}, open('told', 'w'))"


async def parked(workspace: Workspace, command: list[str]) -> tuple[RunResult, list[str]]:
    workspace.environ = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "sk-canary"}
    workspace.settings({"notifications": {"command": command}})
    title = {"name": "title", "approval": {"message": "Title?", "ask": "text"}}
    workspace.ensemble("ship", {"name": "ok", "approval": "Go?"}, title)
    app, told = workspace.app(), list[str]()
    result = await run_ensemble(
        app, find_ensemble(app, "ship"), RunOptions("it"), RunListener(waiting=told.append)
    )
    return result, told


async def test_it_gets_the_questions_and_the_commands_that_answer_them(workspace: Workspace) -> None:
    result, told = await parked(workspace, [sys.executable, "-c", PROGRAM])

    got = json.loads((workspace.project / "told").read_text())
    run = result.run_id
    assert told == []
    assert (got["event"], got["run_id"], got["ensemble"]) == ("waiting", run, "ship")
    assert [(one["agent"], one["message"], one["commands"]) for one in got["questions"]] == [
        ("ok", "Go?", [f"llm-orc runs approve {run} ok", f"llm-orc runs reject {run} ok"]),
        ("title", "Title?", [f"llm-orc runs answer {run} title --text '…'"]),
    ]
    assert "PATH" in got["env"]
    assert "sk-canary" not in json.dumps(got)


async def test_it_is_told_once_however_often_the_run_goes_on(workspace: Workspace) -> None:
    result, _ = await parked(workspace, [sys.executable, "-c", PROGRAM])
    (workspace.project / "told").unlink()

    again = await resume_run(workspace.app(), ResumeOptions(result.run_id))

    assert again.status == "waiting"
    assert not (workspace.project / "told").exists()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["/nowhere/notify"], "No such file or directory"),
        ([sys.executable, "-c", "import sys; sys.exit('no network')"], "exit code 1, no network"),
    ],
)
async def test_its_failure_is_said_and_the_run_waits_all_the_same(
    workspace: Workspace, command: list[str], why: str
) -> None:
    result, told = await parked(workspace, command)

    assert result.status == "waiting"
    assert len(told) == 1
    assert told[0].startswith("`notifications.command` (`")
    assert why in told[0]


async def test_a_project_can_not_set_it(workspace: Workspace) -> None:
    workspace.write("work/project/.llm-orc/config.yaml", {"notifications": {"command": ["evil"]}})

    assert workspace.app().settings.notifications.command == ()
