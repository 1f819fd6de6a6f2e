"""kill -9 in the middle of runs: no answer that was shown is ever lost, asked for again, or changed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter

import pytest

from llm_orc.sandbox.faults import Delay, Fault
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox
from tests.program.popen import create_program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")

INVOKE = ("invoke", "layers", "--input", "the task")
RESUME = ("resume", "last")


def layered(width: int, depth: int) -> list[dict[str, object]]:
    """Agents in layers; each needs two of the layer before."""
    agents = []
    for layer in range(depth):
        for i in range(width):
            needs = [f"a{layer - 1}-{i}", f"a{layer - 1}-{(i + 1) % width}"] if layer else []
            agents.append(local(f"a{layer}-{i}", depends_on=needs))
    return agents


async def start(workspace: Workspace, *arguments: str) -> asyncio.subprocess.Process:
    return await create_program(
        *arguments, "--output-format", "jsonl", cwd=workspace.project, env=workspace.process_environ(), limit=2**22
    )


def finished_in(lines: list[bytes]) -> dict[str, str]:
    """The answers that whole lines of output showed, by agent."""
    events = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return {e["agent"]: e["response"] for e in events if e["type"] == "agent_finished"}


async def killed_until_done(workspace: Workspace, sandbox: Sandbox, kills: int, seed: int) -> None:
    """Run, kill at a random moment, resume, kill again …, checking after each kill; then let it end."""
    rng = random.Random(seed)
    shown: dict[str, str] = {}
    asked_when_shown: Counter[str | None] = Counter()
    began = False
    lines: list[bytes] = []
    for kill in range(kills + 1):
        process = await start(workspace, *(RESUME if began else INVOKE))
        assert process.stdout is not None
        lines = []
        is_last = kill == kills
        wait_for_lines = 10**9 if is_last else rng.randint(1, 30)
        while len(lines) < wait_for_lines and (line := await asyncio.wait_for(process.stdout.readline(), 30)):
            lines.append(line)
        if not is_last:
            await asyncio.sleep(rng.random() * 0.02)
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            lines += (await process.stdout.read()).splitlines(keepends=True)
        _, errors = await process.communicate()

        began = began or bool(lines)
        answers = finished_in(lines)
        asked = Counter(r.system_prompt for r in sandbox.requests)
        for agent, answer in shown.items():
            role = f"You are {agent}."
            assert answers.get(agent, answer) == answer, "an answer changed"
            assert asked[role] == asked_when_shown[role], "an answer that was shown was asked for again"
        for agent in answers.keys() - shown.keys():
            shown[agent] = answers[agent]
            asked_when_shown[f"You are {agent}."] = asked[f"You are {agent}."]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors.decode()

    assert len(shown) == 12
    end = json.loads(lines[-1])
    assert (end["type"], end["status"]) == ("run_finished", "completed")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
async def test_a_run_that_is_killed_again_and_again_ends_with_every_answer_asked_for_once(
    workspace: Workspace, seed: int
) -> None:
    async with Sandbox(faults=[Fault(Delay(0.03))]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("layers", *layered(4, 3))

        await killed_until_done(workspace, sandbox, kills=4, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
async def test_two_hundred_kills(workspace: Workspace, seed: int) -> None:
    async with Sandbox(faults=[Fault(Delay(0.05))]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("layers", *layered(4, 3))

        await killed_until_done(workspace, sandbox, kills=6, seed=seed)


@pytest.mark.slow
async def test_what_has_ended_within_an_agent_is_not_asked_for_again_after_a_kill(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Delay(0.03))]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("inner", *layered(2, 2))
        workspace.ensemble("middle", *layered(2, 1), {"name": "in", "ensemble": "inner", "depends_on": ["a0-0"]})
        layers: list[dict[str, object]] = [
            {"name": "x", "ensemble": "middle"},
            {"name": "y", "ensemble": "inner", "depends_on": ["x"]},
        ]
        workspace.ensemble("layers", *layers, local("end", depends_on=["y"]), local("side"))

        await killed_within_until_done(workspace)

        asked = Counter(request.system_prompt for request in sandbox.requests)
        assert set(asked) >= {"You are end.", "You are side.", "You are a0-0."}
        assert asked["You are end."] <= 2  # it may have been in flight at a kill


async def killed_within_until_done(workspace: Workspace) -> None:
    """Kill it after each second answer that it shows; what was shown is what the whole run has at its end."""
    shown: dict[str, str] = {}
    for kill in range(30):
        process = await start(workspace, *(RESUME if kill else INVOKE))
        assert process.stdout is not None
        new, lines = 0, []
        while line := await asyncio.wait_for(process.stdout.readline(), 30):
            lines.append(line)
            new += len(finished_in([line]).keys() - shown.keys())
            if new == 3:
                process.send_signal(signal.SIGKILL)
                break
        lines += (await process.stdout.read()).splitlines(keepends=True)
        await process.communicate()
        answers = finished_in(lines)
        assert {agent: answers[agent] for agent in shown} == shown
        shown = answers
        if process.returncode == 0:
            break
    assert set(shown) == {
        *("x", "x/a0-0", "x/a0-1", "x/in", "x/in/a0-0", "x/in/a0-1", "x/in/a1-0", "x/in/a1-1"),
        *("y", "y/a0-0", "y/a0-1", "y/a1-0", "y/a1-1", "end", "side"),
    }
