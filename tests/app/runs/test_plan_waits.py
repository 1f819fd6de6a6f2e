"""Fifty runs that wait for one plan, killed and resumed: nothing is called before the reset, and nothing metered."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from llm_orc.app.history.runs import list_runs
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox
from tests.fakes.claude import StandIn, install

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")]

RUNS = 50
PRO_MAX = "anthropic-claude-pro-max"

_PROGRAM = """
import asyncio, sys, time
from dataclasses import replace
from llm_orc.app.history.runs import list_runs
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Runtime
from llm_orc.app.access.consent import Consent
from llm_orc.app.wiring import open_app
from llm_orc.engine.events import PlanWaitStarted
from llm_orc.settings.environment import ProcessEnvironment

AHEAD_S = float(sys.argv[2])
BEGAN = time.time() + AHEAD_S  # earlier events are shown again
LIMITS = RunLimits(wait_for_plan=True)

class Later:
    now = staticmethod(lambda: time.time() + AHEAD_S)
    monotonic = staticmethod(time.monotonic)

def show(event):
    if isinstance(event, PlanWaitStarted) and event.at >= BEGAN:
        print("waits", flush=True)

async def main():
    app = replace(open_app(ProcessEnvironment.here()), clock=Later())
    listener = RunListener(show)
    async with Runtime(app) as runtime:
        if sys.argv[1] == "begin":
            ensemble = find_ensemble(app, "plan")
            work = [run_ensemble(app, ensemble, RunOptions(f"task {i}", LIMITS, Consent(True)), listener, runtime=runtime)
                    for i in range(int(sys.argv[3]))]
        else:
            runs = [run.run_id for run in list_runs(app, limit=None)]
            work = [resume_run(app, ResumeOptions(run, LIMITS), listener, runtime=runtime) for run in runs]
        results = await asyncio.gather(*work)
    assert all(result.status == "completed" for result in results), [r.status for r in results]
    print("done", flush=True)

asyncio.run(main())
"""


async def start(workspace: Workspace, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM,
        *arguments,
        cwd=workspace.project,
        env=workspace.process_environ(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def all_wait(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(120):
        for _ in range(RUNS):
            line = await process.stdout.readline()
            if line != b"waits\n":
                _, errors = await process.communicate()
                pytest.fail(f"{line!r}, exit code {process.returncode}: {errors.decode()}")


async def killed(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.communicate()


def answers_of(workspace: Workspace) -> dict[str, str]:
    """The recorded answers of the local agents, by run and agent."""
    app = workspace.app()
    journal = app.open_journal()
    try:
        events = [(run.run_id, *event) for run in journal.runs() for event in journal.events(run.run_id)]
    finally:
        journal.close()
    bodies = [(run_id, json.loads(body)) for run_id, _, kind, body in events if kind == "agent_finished"]
    return {f"{run_id} {body['agent']}": body["output"]["text"] for run_id, body in bodies}


def set_up(workspace: Workspace, claude: StandIn, sandbox: Sandbox) -> None:
    """Three agents: one on a local server, one on the plan with a metered fallback that is allowed, and one after."""
    settings = on_sandbox(sandbox, runs={"max_cli_processes": 2})
    settings["model_profiles"] = {
        "large": {"provider": PRO_MAX, "model": "opus", "fallback_model_profile": "paid"},
        "paid": {"provider": "anthropic-api", "model": "claude-m"},
    }
    workspace.settings(settings)
    path = f"{claude.path}{os.pathsep}{os.environ['PATH']}"
    workspace.environ = {"PATH": path, "ANTHROPIC_API_KEY": "sk-metered-1"}
    planned = {"name": "planned", "model_profile": "large", "system_prompt": "You are planned."}
    workspace.ensemble("plan", local("free"), planned, local("chair", depends_on=["free", "planned"]))


async def test_fifty_runs_are_killed_while_they_wait_and_lose_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    claude = install(tmp_path / "stand-in")
    async with Sandbox() as sandbox:
        set_up(workspace, claude, sandbox)
        claude.set_up(do="limit")

        process = await start(workspace, "begin", "0", str(RUNS))
        await all_wait(process)
        refused = len(claude.prompts)
        async with asyncio.timeout(60):
            while len(answers_of(workspace)) < RUNS:
                await asyncio.sleep(0.1)
        await killed(process)
        kept = answers_of(workspace)
        assert refused <= 2  # those that were out before the first had been refused

        for _ in range(2):  # before the reset, twice
            process = await start(workspace, "resume", "60")
            await all_wait(process)
            await killed(process)
        assert len(claude.prompts) == refused
        assert answers_of(workspace) == kept
        waiting = list_runs(workspace.app(), limit=None)
        resets = [(run.waits_until or 0.0) - time.time() for run in waiting]
        assert min(resets) > 7000, resets

        claude.set_up(do="answer")
        until = max(run.waits_until or 0.0 for run in waiting)
        process = await start(workspace, "resume", str(until - time.time() - 30))
        await all_wait(process)
        assert len(claude.prompts) == refused  # it still waits
        output, errors = await asyncio.wait_for(process.communicate(), 120)
        assert output.endswith(b"done\n"), errors.decode()

        metered = [request for request in sandbox.requests if request.headers.get("x-api-key")]
        answers = answers_of(workspace)
        assert metered == []
        assert len(claude.prompts) == refused + RUNS
        assert len(answers) == 3 * RUNS
        assert {name: answers[name] for name in kept} == kept
        asked = [request.system_prompt for request in sandbox.requests]
        assert asked.count("You are free.") == RUNS
        assert asked.count("You are chair.") == RUNS
