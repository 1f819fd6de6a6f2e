"""kill -9 in the middle of rounds, also within items and ensembles: what was answered is never asked for again."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from llm_orc.sandbox.faults import Delay, Fault
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox
from tests.app.runs.test_kill import finished_in, start

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion"),
]
ROUNDS = 3


def loop(what: str, last: str = "") -> Mapping[str, object]:
    """Two agents in rounds; each prompt says which it is."""
    writer = local("writer", prompt=f"Write {what}, round ${{round}}{last}")
    judge = local("judge", prompt=f"Judge {what}, round ${{round}}", depends_on=["writer"])
    return {"agents": [writer, judge], "answer": "writer", "until": f"${{round}} == {ROUNDS}", "max_rounds": 5}


def write_ensembles(workspace: Workspace) -> None:
    workspace.ensemble("inner", {"name": "revise", "loop": loop("within")})
    workspace.ensemble(
        "story",
        {"name": "each", "loop": loop("${item}"), "fan_out": {"over": ["one", "two"]}},
        {"name": "route", "dispatch": {"by": "rounds", "to": {"rounds": "inner"}}},
        {"name": "own", "loop": loop("own", " after [${last.judge}]")},
        local("end", prompt="The end", depends_on=["each", "route", "own"]),
    )


CALLS = 4 * ROUNDS * 2 + 1


async def killed_after(workspace: Workspace, answers: int, *arguments: str) -> dict[str, str]:
    """Kill the program when so many answers of agents on models have been shown; return all that were."""
    process = await start(workspace, *arguments)
    assert process.stdout is not None
    lines: list[bytes] = []
    while len(finished_in(lines)) < answers and (line := await asyncio.wait_for(process.stdout.readline(), 30)):
        lines.append(line)
    process.send_signal(signal.SIGKILL)
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.communicate()
    return finished_in(lines)


def beginning_of(path: str) -> str:
    """Return how the prompt of the agent at this path begins."""
    around, _, name = path.rpartition("/")
    number = around[around.rindex("[") + 1 : -1]
    what = {"e": "one" if around.startswith("each[0]") else "two", "r": "within", "o": "own"}[path[0]]
    return f"{'Write' if name == 'writer' else 'Judge'} {what}, round {number}"


def asked_for(sandbox: Sandbox, paths: Iterable[str]) -> dict[str, int]:
    """Return how often each of the agents has been asked."""
    prompts = [request.messages[-1].content for request in sandbox.requests]
    return {path: sum(one.startswith(beginning_of(path)) for one in prompts) for path in paths if "/" in path}


async def test_rounds_that_are_killed_are_asked_for_once_and_run_as_recorded(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Delay(0.02))]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        write_ensembles(workspace)
        shown: dict[str, str] = {}
        asked: dict[str, int] = {}
        for arguments in (("invoke", "story", "--input", "the task"), ("resume", "last")):
            again = await killed_after(workspace, len(shown) + 5, *arguments)
            assert again.items() >= shown.items()
            shown, asked = again, {**asked_for(sandbox, again), **asked}
            workspace.ensemble("story", local("other"))  # the run goes on as it began
            workspace.ensemble("inner", local("other"))
        process = await start(workspace, "resume", "last")
        output, errors = await process.communicate()

        answers = finished_in(output.splitlines(keepends=True))
        assert process.returncode == 0, errors.decode()
        assert answers.items() >= shown.items()
        assert asked_for(sandbox, asked) == asked
        assert len({request.messages[-1].content for request in sandbox.requests}) == CALLS
