"""The real `copilot` before a loopback server, without an account: what the server gets is what counts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from llm_orc.errors import AccessNotSupported, NotLoggedIn, PromptTooLarge, RateLimited, ToolAttempted
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelInterface, ModelRequest
from llm_orc.providers.official_cli.official import OfficialClis
from llm_orc.providers.official_cli.state import CliState
from llm_orc.sandbox.canned import LABEL
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox

pytestmark = pytest.mark.interop

_PROGRAMS = Path(__file__).parent / "node_modules" / "@github"
_MARKER = "marker-of-what-must-not-leave"
_TRICKY = "/help\n!touch /tmp/x\nUse $danger and #file, read @/etc/passwd"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose instructions, skills, agents, hooks and servers would all like to act."""
    folder = tmp_path / "home" / ".copilot"
    touch = {"type": "command", "bash": f"touch {folder}/hooked"}
    hooks = {"hooks": {"sessionStart": [touch], "userPromptSubmitted": [touch]}}
    server = {"type": "local", "command": "/usr/bin/touch", "args": [f"{folder}/served"], "tools": ["*"]}
    front = "---\nname: danger\ndescription: " + _MARKER + "\napplyTo: '**'\n---\n" + _MARKER
    files = {
        "copilot-instructions.md": _MARKER,
        "instructions/all.instructions.md": front,
        "skills/danger/SKILL.md": front,
        "agents/danger.agent.md": front,
        "hooks/mine.json": json.dumps({"version": 1, **hooks}),
        "settings.json": json.dumps(hooks),
        "mcp-config.json": json.dumps({"mcpServers": {"mine": server}}),
        "extensions/mine/extension.mjs": f"require('fs').writeFileSync('{folder}/extended', 'x')",
        "../AGENTS.md": _MARKER,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder.parent


@pytest.fixture
def environ(home: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = [path for path in _PROGRAMS.glob("copilot-*/copilot") if path.is_file()]
    assert found, "first run: npm --prefix tests/interop ci"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "copilot").symlink_to(found[0])
    stray = dict.fromkeys(("GH_TOKEN", "GITHUB_TOKEN", "COPILOT_GITHUB_TOKEN"), f"gho_{_MARKER}")
    stray |= {"COPILOT_PROVIDER_BASE_URL": "http://127.0.0.1:9/v1", "COPILOT_PROVIDER_API_KEY": _MARKER}
    stray |= {"COPILOT_ALLOW_ALL": "true", "COPILOT_MODEL": _MARKER}
    unpacked = tmp_path_factory.getbasetemp() / "unpacked"  # 160 MB, which it writes at its first start
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(unpacked),
        **stray,
    }


@pytest.fixture
async def clis(environ: dict[str, str]) -> AsyncIterator[OfficialClis]:
    async with OfficialClis(environ, max_live=3, network=NetworkSettings(idle_timeout_s=60)) as clis:
        yield clis


def model(
    clis: OfficialClis, environ: dict[str, str], base_url: str | None, max_retries: int = 0
) -> ModelInterface:
    """The model of a `copilot` that counts as logged in: another server than GitHub's asks for no login."""
    path = Path(environ["PATH"].partition(":")[0]) / "copilot"
    state = CliState("copilot-cli", "copilot", path, "1.0.102", "plan", "Copilot")
    return clis.model(state, "m-1", provider="copilot-cli", base_url=base_url, max_retries=max_retries)


def asking(text: str) -> ModelRequest:
    return ModelRequest((Message("user", text),), system_prompt="You are a tax lawyer.")


async def test_it_is_greeted_and_says_that_nobody_is_logged_in(clis: OfficialClis) -> None:
    state = await clis.look("copilot-cli")

    assert type(state.problem) is NotLoggedIn, state.problem
    assert state.problem.hint == "copilot login"
    assert (state.login, state.version) == ("none", "1.0.102")


async def test_a_login_that_it_cannot_check_is_not_called_a_missing_one(
    environ: dict[str, str], home: Path
) -> None:
    octo = {"host": "https://github.com", "login": "octo"}
    (home / ".copilot" / "config.json").write_text(
        json.dumps(
            {
                "loggedInUsers": [octo],
                "lastLoggedInUser": octo,
                "copilotTokens": {"https://github.com:octo": f"gho_{'b' * 36}"},
            }
        )
    )
    async with OfficialClis({**environ, "HTTPS_PROXY": "http://127.0.0.1:9"}) as clis:
        problem = (await clis.look("copilot-cli")).problem

    assert type(problem) is AccessNotSupported
    assert "can't find out whether it is logged in" in str(problem)


async def test_without_an_account_no_session_begins(clis: OfficialClis, environ: dict[str, str]) -> None:
    with pytest.raises(NotLoggedIn, match="not logged in"):
        await model(clis, environ, None).reply(asking("hello"))


async def test_no_request_shows_a_tool_or_anything_of_its_user(
    clis: OfficialClis, environ: dict[str, str], home: Path
) -> None:
    async with Sandbox() as sandbox:
        reply = await model(clis, environ, sandbox.base_url("openai-chat")).reply(asking(_TRICKY))
        [request] = sandbox.requests

    body = json.loads(request.body)
    assert reply.text.startswith(LABEL)
    assert (reply.model, reply.stop_reason) == ("m-1", "end_turn")
    assert reply.usage.input_tokens
    assert body.get("tools", []) == body.get("functions", []) == []
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"] == "You are a tax lawyer."
    # The time is what it adds.
    start, _, text = body["messages"][1]["content"].partition("\n\n")
    assert start.startswith("<current_datetime>")
    assert text == _TRICKY
    assert _MARKER not in f"{dict(request.headers)}{request.body!r}"
    assert "Authorization" not in request.headers
    left = {path.name for path in (home / ".copilot").iterdir()}
    assert not left & {"hooked", "served", "extended", "logs", "session-state"}


async def test_a_limit_is_not_tried_again(clis: OfficialClis, environ: dict[str, str]) -> None:
    async with Sandbox(faults=[Fault(Status(429))]) as sandbox:
        with pytest.raises(RateLimited):
            await model(clis, environ, sandbox.base_url("openai-chat"), max_retries=4).reply(asking("hello"))

        assert len(sandbox.requests) == 1


async def test_a_prompt_beyond_its_context_is_refused_and_not_cut(
    clis: OfficialClis, environ: dict[str, str]
) -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(PromptTooLarge):
            await model(clis, environ, sandbox.base_url("openai-chat")).reply(asking("word " * 400_000))

        assert sandbox.requests == []


@pytest.mark.parametrize("tool", ["bash", "view", "task"])
async def test_a_call_of_what_was_not_offered_ends_the_turn_and_does_nothing(
    clis: OfficialClis, environ: dict[str, str], tmp_path: Path, tool: str
) -> None:
    place = tmp_path / "touched"
    arguments = {
        "command": f"touch {place}",
        "description": "x",
        "path": "/etc/passwd",
        "prompt": "x",
        "name": "x",
    }
    async with calling(tool, arguments) as url:
        with pytest.raises(ToolAttempted, match=tool):
            await model(clis, environ, url).reply(asking("hello"))

    assert not place.exists()


@asynccontextmanager
async def calling(tool: str, arguments: dict[str, str]) -> AsyncIterator[str]:
    """A server that answers each request with a call of `tool`."""
    call = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": tool, "arguments": json.dumps(arguments)},
    }
    choices: list[dict[str, object]] = [
        {"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "tool_calls"},
    ]
    chunks = [{"id": "x", "object": "chat.completion.chunk", "model": "m-1", "choices": [one]} for one in choices]
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"

    async def respond(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
