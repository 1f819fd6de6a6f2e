"""kill -9 in the middle of a chat: no turn that was shown as finished is ever missing, none is doubled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal

import pytest

from llm_orc.app.conversations.archive import get_conversation
from llm_orc.errors import ConversationNotFound
from llm_orc.protocols.chat_request import ChatRequest
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, on_sandbox
from tests.app.conversations.test_conversations import told
from tests.program.popen import create_program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")

PROFILE = {"default": {"provider": "openai-compatible", "model": "m"}}


def echo(asked: ChatRequest) -> str:
    return f"answer to <{asked.prompt}>"


async def chat(workspace: Workspace) -> asyncio.subprocess.Process:
    return await create_program(
        *("chat", "--lines", "--conversation", "standing"),
        cwd=workspace.project,
        env=workspace.process_environ(),
        stdin=asyncio.subprocess.PIPE,
    )


async def killed_again_and_again(workspace: Workspace, sandbox: Sandbox, kills: int, seed: int) -> None:
    """Chat, kill at a random moment, chat on …; after each kill the file holds what was shown, once, in order."""
    rng = random.Random(seed)
    number = 0
    shown: list[str] = []  # the questions whose answers came out whole
    for _ in range(kills):
        process = await chat(workspace)
        assert process.stdin is not None
        assert process.stdout is not None
        asked = rng.randint(1, 6)
        for _ in range(asked):
            process.stdin.write(f"q{number}\n".encode())
            number += 1
        came: list[bytes] = []
        wanted = rng.randint(0, asked - 1)
        while len(came) < wanted and (line := await asyncio.wait_for(process.stdout.readline(), 30)):
            came.append(line)
        await asyncio.sleep(rng.random() * (0.4 if wanted == 0 else 0.03))
        process.send_signal(signal.SIGKILL)
        came += (await process.stdout.read()).splitlines(keepends=True)
        await process.communicate()

        shown += [line.decode().partition("<")[2].partition(">")[0] for line in came if line.endswith(b"\n")]
        check(workspace, shown)
    assert shown
    assert sandbox.request_count >= len(shown)


def check(workspace: Workspace, shown: list[str]) -> None:
    try:
        turns = get_conversation(workspace.app(), "standing").turns
    except ConversationNotFound:
        assert shown == []
        return
    finished = [
        t.text.partition("<")[2].partition(">")[0] for t in turns if t.role == "assistant" and t.state == "done"
    ]
    assert len(finished) == len(set(finished)), "a turn is doubled"
    assert set(shown) <= set(finished), "a finished turn is missing"
    assert [q for q in finished if q in set(shown)] == shown, "the order changed"
    questions = [t.text for t in turns if t.role == "user" and t.state == "done"]
    assert questions == finished, "a question and its answer came apart"


async def the_next_request_carries_it_all(workspace: Workspace, sandbox: Sandbox) -> None:
    process = await chat(workspace)
    await process.communicate(b"the last one\n")
    assert process.returncode == 0
    turns = [t for t in get_conversation(workspace.app(), "standing").turns if t.state == "done"]
    *before, (role, last) = told(sandbox.requests[-1])
    assert (role, last) == ("user", "the last one")
    assert [text for role, text in before if role == "user"] == [t.text for t in turns if t.role == "user"][:-1]
    assert json.dumps(before).count("answer to <") == len(before) // 2


@pytest.mark.slow
async def test_four_programs_in_one_conversation_speak_one_after_the_other(workspace: Workspace) -> None:
    async def one(name: str) -> None:
        process = await chat(workspace)
        _, errors = await process.communicate("".join(f"{name}{n}\n" for n in range(4)).encode())
        assert process.returncode == 0, errors.decode()

    async with Sandbox(compose=echo, delay_s=0.01) as sandbox:
        workspace.settings(on_sandbox(sandbox, model_profiles=PROFILE))
        workspace.project.mkdir(parents=True, exist_ok=True)
        await asyncio.gather(*(one(name) for name in "abcd"))

    turns = get_conversation(workspace.app(), "standing").turns
    assert [t.role for t in turns] == ["user", "assistant"] * 16
    questions = [t.text for t in turns if t.role == "user"]
    assert all([q for q in questions if q[0] == name] == [f"{name}{n}" for n in range(4)] for name in "abcd")
    for number, request in enumerate(sandbox.requests):
        assert [text for role, text in told(request) if role == "user"] == questions[: number + 1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
async def test_a_chat_that_is_killed_again_and_again_loses_nothing(workspace: Workspace, seed: int) -> None:
    async with Sandbox(compose=echo, delay_s=0.01) as sandbox:
        workspace.settings(on_sandbox(sandbox, model_profiles=PROFILE))
        workspace.project.mkdir(parents=True, exist_ok=True)
        await killed_again_and_again(workspace, sandbox, kills=5, seed=seed)
        await the_next_request_carries_it_all(workspace, sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
async def test_three_hundred_kills(workspace: Workspace, seed: int) -> None:
    async with Sandbox(compose=echo, delay_s=0.01) as sandbox:
        workspace.settings(on_sandbox(sandbox, model_profiles=PROFILE))
        workspace.project.mkdir(parents=True, exist_ok=True)
        await killed_again_and_again(workspace, sandbox, kills=15, seed=seed)
        await the_next_request_carries_it_all(workspace, sandbox)
