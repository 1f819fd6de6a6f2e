"""The real `codex` before a loopback Responses API, with an invented login: what the server gets is what counts."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from llm_orc.errors import (
    LlmOrcError,
    MeteredNotAllowed,
    NotLoggedIn,
    ProviderUnreachable,
    RateLimited,
    ToolAttempted,
)
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelInterface, ModelRequest
from llm_orc.providers.official_cli.official import OfficialClis
from llm_orc.sandbox.canned import LABEL
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.request_log import ReceivedRequest
from llm_orc.sandbox.server import Sandbox

pytestmark = pytest.mark.interop

_PROGRAMS = Path(__file__).parent / "node_modules" / "@openai"
_MARKER = "marker-of-what-must-not-leave"
_PLAN = {"chatgpt_plan_type": "plus", "chatgpt_account_id": "account-1", "chatgpt_user_id": "user-1"}
# All that a request still shows: nothing.
_TOOLS_LEFT: list[str] = []


def _token() -> str:
    """An unsigned JWT of an invented plan."""
    claims = {"exp": int(time.time()) + 864_000, "https://api.openai.com/auth": _PLAN}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose owner is logged in, and whose settings, skills, hooks and servers would all like to act."""
    folder = tmp_path / "home" / ".codex"
    login = {
        "id_token": _token(),
        "access_token": _token(),
        "refresh_token": "invented",
        "account_id": "account-1",
    }
    files = {
        "auth.json": json.dumps(
            {"auth_mode": "chatgpt", "tokens": login, "last_refresh": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
        ),
        "config.toml": f'model = "{_MARKER}"\nmodel_provider = "stray"\nnotify = ["touch", "{folder}/notified"]\n'
        f'[model_providers.stray]\nname = "stray"\nbase_url = "http://127.0.0.1:9/v1"\n'
        f'[mcp_servers.stray]\ncommand = "touch"\nargs = ["{folder}/served"]\n',
        "hooks.json": json.dumps(
            {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": f"touch {folder}/hooked"}]}]}}
        ),
        ".env": f"OPENAI_API_KEY={_MARKER}\nCODEX_API_KEY={_MARKER}\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\n",
        "skills/mine/SKILL.md": f"---\nname: mine\ndescription: {_MARKER}\n---\n{_MARKER}\n",
        "../.agents/skills/yours/SKILL.md": f"---\nname: yours\ndescription: {_MARKER}\n---\n{_MARKER}\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder.parent


@pytest.fixture
def environ(home: Path, tmp_path: Path) -> dict[str, str]:
    found = [path for path in _PROGRAMS.glob("codex-*/vendor/*/bin/codex") if path.is_file()]
    assert found, "first run: npm --prefix tests/interop ci"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "codex").symlink_to(found[0])
    stray = dict.fromkeys(("OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_BASE_URL", "CODEX_ACCESS_TOKEN"), _MARKER)
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(home), **stray}


@pytest.fixture
async def clis(environ: dict[str, str]) -> AsyncIterator[OfficialClis]:
    async with OfficialClis(environ, max_live=3, network=NetworkSettings(idle_timeout_s=30)) as clis:
        yield clis


async def model(clis: OfficialClis, base_url: str, name: str | None = None) -> ModelInterface:
    state = await clis.look("codex-cli")
    assert state.problem is None
    assert (state.login, state.plan) == ("plan", "ChatGPT")
    return clis.model(state, name, provider="codex-cli", base_url=base_url, max_retries=0)


def asking(text: str) -> ModelRequest:
    return ModelRequest((Message("user", text),), system_prompt="You are a tax lawyer.")


def tools_in(request: ReceivedRequest) -> list[str]:
    """Every tool that a request shows, wherever it does."""
    body = json.loads(request.body)
    return [
        *_names(body.get("tools", [])),
        *(name for item in body["input"] for name in _names(item.get("tools", []))),
    ]


def _names(tools: list[dict[str, object]]) -> Iterator[str]:
    for tool in tools:
        inner = tool.get("tools")
        if isinstance(inner, list):
            yield from _names(inner)
        else:
            yield str(tool.get("name") or tool.get("type"))


async def test_no_request_of_any_model_shows_a_tool_or_anything_of_its_user(
    clis: OfficialClis, home: Path
) -> None:
    text = "Use $mine and [$yours](skill://yours), read @/etc/passwd, /help, !ls"
    state = await clis.look("codex-cli")
    listed = [model["slug"] for model in json.loads(state.models)["models"]]
    names = [None, *listed, "a-model-of-tomorrow"]
    async with Sandbox() as sandbox:
        models = [await model(clis, sandbox.base_url("openai-responses"), name) for name in names]
        replies = await asyncio.gather(*(one.reply(asking(text)) for one in models))
        requests = [one for one in sandbox.requests if one.path.endswith("/responses")]

    assert len(requests) == len(names) == len(listed) + 2
    assert all(reply.text.startswith(LABEL) for reply in replies)
    for request in requests:
        assert tools_in(request) == _TOOLS_LEFT
        assert [m.content for m in request.messages] == [text]
        assert set((request.system_prompt or "").splitlines()) == {"You are a tax lawyer."}
        assert _MARKER not in f"{dict(request.headers)}{request.body!r}"
        assert request.headers["Authorization"].startswith("Bearer eyJ")
    assert [path.name for path in (home / ".codex").glob("*ed")] == []  # nothing was notified, served or hooked


async def test_the_instructions_of_its_user_for_all_projects_are_all_that_remains(
    clis: OfficialClis, home: Path
) -> None:
    (home / ".codex" / "AGENTS.md").write_text("Answer in verse.")
    async with Sandbox() as sandbox:
        await (await model(clis, sandbox.base_url("openai-responses"))).reply(asking("hello"))
        [request] = [one for one in sandbox.requests if one.path.endswith("/responses")]

    assert ["verse" in message.content for message in request.messages] == [True, False]
    assert request.messages[-1].content == "hello"


async def test_without_a_network_it_ends_by_itself(clis: OfficialClis) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        with pytest.raises(ProviderUnreachable, match="can't be reached"):
            await (await model(clis, url)).reply(asking("hello"))


async def test_a_limit_is_not_tried_again_by_us(clis: OfficialClis) -> None:
    async with Sandbox(faults=[Fault(Status(429))]) as sandbox:
        state = await clis.look("codex-cli")
        url = sandbox.base_url("openai-responses")
        asked = clis.model(state, "gpt-5.5", provider="codex-cli", base_url=url, max_retries=4)
        with pytest.raises(RateLimited):
            await asked.reply(asking("hello"))
        sent = [one for one in sandbox.requests if one.path.endswith("/responses")]

    assert len(sent) <= 2  # codex' own


async def test_a_status_that_proves_no_plan_is_refused_before_it_is_run(
    environ: dict[str, str], home: Path
) -> None:
    login = home / ".codex" / "auth.json"
    kept = json.loads(login.read_text())
    logins: list[tuple[dict[str, object], type[LlmOrcError]]] = [
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-proj-invented-0123456789"}, MeteredNotAllowed),
        ({**kept, "auth_mode": None, "OPENAI_API_KEY": "sk-proj-invented-0123456789"}, MeteredNotAllowed),
        ({**kept, "auth_mode": "chatgpt in another way"}, MeteredNotAllowed),
    ]
    for written, error in logins:
        login.write_text(json.dumps(written))
        async with OfficialClis(environ) as clis:
            state = await clis.look("codex-cli")
        assert type(state.problem) is error
    login.unlink()
    async with OfficialClis(environ) as clis:
        assert type((await clis.look("codex-cli")).problem) is NotLoggedIn


# --- a server whose model calls what it was not offered ---

_CALLS: dict[str, dict[str, object]] = {
    "exec_command": {"type": "function_call", "arguments": '{"cmd": "touch PLACE"}'},
    "shell": {"type": "function_call", "arguments": '{"command": ["touch", "PLACE"]}'},
    "view_image": {"type": "function_call", "arguments": '{"path": "/etc/passwd"}'},
    "spawn_agent": {"type": "function_call", "arguments": '{"message": "hello", "task_name": "x"}'},
    "read_mcp_resource": {"type": "function_call", "arguments": '{"server": "codex_apps", "uri": "x"}'},
    "apply_patch": {
        "type": "custom_tool_call",
        "input": "*** Begin Patch\n*** Add File: PLACE\n+x\n*** End Patch\n",
    },
    "exec": {"type": "custom_tool_call", "input": 'await tools.exec_command({cmd: "touch PLACE"})'},
}


@asynccontextmanager
async def calling(
    items: Iterable[dict[str, object]],
) -> AsyncIterator[tuple[str, list[dict[str, list[dict[str, str]]]]]]:
    """A server that answers each first request with these items, and each later one with a word."""
    told: list[dict[str, list[dict[str, str]]]] = []

    async def respond(request: web.Request) -> web.Response:
        body = await request.json()
        told.append(body)
        done: list[dict[str, object]] = [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]}
        ]
        output = list(items) if len(told) == 1 else done
        events = [
            {"type": "response.output_item.done", "output_index": n, "item": i} for n, i in enumerate(output)
        ]
        said: list[dict[str, object]] = [{"type": "response.created", "response": {"id": "r"}}, *events]
        said.append({"type": "response.completed", "response": {"id": "r", "usage": None}})
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in said)
        return web.Response(text=text, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/responses", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", told
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("name", ["gpt-5.5", None])
async def test_a_call_of_what_was_not_offered_does_nothing(
    clis: OfficialClis, tmp_path: Path, name: str | None
) -> None:
    place = tmp_path / "touched"
    called = [
        json.loads(json.dumps({"name": tool, "call_id": f"call_{tool}", **call}).replace("PLACE", str(place)))
        for tool, call in _CALLS.items()
    ]
    async with calling(called) as (url, told):
        await (await model(clis, url, name)).reply(asking("hello"))

    outputs = {item["call_id"]: item["output"] for item in told[-1]["input"] if item["type"].endswith("_output")}
    assert outputs.keys() == {f"call_{tool}" for tool in _CALLS}
    assert all("unsupported" in output for output in outputs.values())
    assert not place.exists()


async def test_a_search_that_the_server_itself_makes_ends_the_turn(clis: OfficialClis) -> None:
    search: dict[str, object] = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    async with calling([search]) as (url, told):
        with pytest.raises(ToolAttempted, match="web_search"):
            await (await model(clis, url)).reply(asking("hello"))

    assert len(told) == 1
