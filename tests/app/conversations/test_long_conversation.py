"""Two hundred turns over ten restarts, five refreshes and a change of access, checked turn by turn on the wire."""

from __future__ import annotations

import asyncio

import pytest

from llm_orc.app.conversations.archive import get_conversation
from llm_orc.protocols.chat_request import ChatRequest
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.request_log import ReceivedRequest
from llm_orc.sandbox.server import Sandbox
from tests.app.access.test_stored_access import CLAUDE_CODE, PRO_MAX, sign_in
from tests.app.conftest import KEY, Workspace
from tests.app.conversations.test_conversations import said
from tests.program.popen import create_program

ROLE = "You are a tax lawyer."


def echo(asked: ChatRequest) -> str:
    return f"answer to <{asked.prompt}>"


async def chat(workspace: Workspace, model: str, questions: list[str]) -> None:
    process = await create_program(
        *("chat", "--lines", "--conversation", "long", "-s", ROLE, "-m", model),
        cwd=workspace.project,
        env=workspace.process_environ(),
        stdin=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate("".join(f"{q}\n" for q in questions).encode())
    assert process.returncode == 0, err.decode()
    assert out.count(b"answer to <") == len(questions)


def told(request: ReceivedRequest) -> list[tuple[str, str]]:
    """What was said before, with neither the sandbox's label nor an agreement on the role, which is checked."""
    messages = list(request.messages)
    if request.system_prompt == CLAUDE_CODE:
        agreed, understood, *messages = messages
        assert agreed.content == f"For this conversation, please act as: {ROLE}"
        assert understood.content == "Understood. I'll act in that role for our conversation."
    else:
        assert request.system_prompt == ROLE
    return [(m.role, m.content.partition("] ")[2] if m.role == "assistant" else m.content) for m in messages]


@pytest.mark.parametrize(
    ("restarts", "turns_each", "refreshes"), [(4, 10, 2), pytest.param(10, 20, 5, marks=pytest.mark.slow)]
)
@pytest.mark.slow
async def test_every_request_carries_all_that_was_said_before(
    workspace: Workspace, restarts: int, turns_each: int, refreshes: int
) -> None:
    on_the_key = restarts // 4  # the last starts of the program
    server = OAuthServer(access_token_lifetime_s=0.5)
    async with Sandbox(oauth=server, compose=echo, delay_s=0.03) as sandbox:
        sign_in(workspace, sandbox, server, lifetime_s=0.5)
        workspace.environ["ANTHROPIC_API_KEY"] = KEY
        workspace.project.mkdir(parents=True, exist_ok=True)
        questions = [f"question {n}" for n in range(restarts * turns_each)]
        for start in range(restarts):
            model = f"{PRO_MAX}/m" if start < restarts - on_the_key else "anthropic-api/m"
            await chat(workspace, model, questions[start * turns_each : (start + 1) * turns_each])

    expected = said(*questions)
    answered = [r for r in sandbox.requests if told(r)]
    assert len(answered) == len(questions)
    for number, request in enumerate(answered):
        assert told(request) == expected[: 2 * number + 1]
    assert server.refresh_count >= refreshes
    assert server.reuse_events == []
    by_key = [r for r in answered if "x-api-key" in r.headers]
    assert len(by_key) == on_the_key * turns_each

    turns = get_conversation(workspace.app(), "long").turns
    assert len(turns) == 2 * len(questions)
    assert {t.state for t in turns} == {"done"}
    billing = [str(t.access.billing) for t in turns if t.access]
    assert billing == ["subscription"] * (len(questions) - len(by_key)) + ["metered"] * len(by_key)
