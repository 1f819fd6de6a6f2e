"""The real `claude` before a loopback Messages API, with an invented login: what the server gets is what counts."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm_orc.errors import (
    AccessRefused,
    LlmOrcError,
    MeteredNotAllowed,
    ModelNotFound,
    NotLoggedIn,
    ProviderOverloaded,
    RateLimited,
)
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelInterface, ModelRequest
from llm_orc.providers.official_cli.official import OfficialClis
from llm_orc.providers.parts import Attachment
from llm_orc.sandbox.canned import LABEL
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.request_log import ReceivedRequest
from llm_orc.sandbox.server import Sandbox

pytestmark = pytest.mark.interop

# A picture of one point: the program looks at what it sends.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_PACKAGES = Path(__file__).parent / "node_modules" / "@anthropic-ai"
_TOKEN = "sk-ant-oat01-invented-for-this-test"
_MARKER = "marker-of-a-stray-key"
_POISON = dict.fromkeys(
    (
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_USE_BEDROCK"),
        *("CLAUDE_CODE_USE_VERTEX", "OPENAI_API_KEY", "CLAUDECODE"),
    ),
    _MARKER,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose owner is logged in, and whose settings would bill a key if they were read."""
    login = {
        "accessToken": _TOKEN,
        "refreshToken": "sk-ant-ort01-invented",
        "expiresAt": int((time.time() + 8 * 3600) * 1000),
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    folder = tmp_path / "home" / ".claude"
    folder.mkdir(parents=True)
    (folder / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
    (folder / "settings.json").write_text(
        json.dumps({"env": {"ANTHROPIC_API_KEY": _MARKER}, "apiKeyHelper": f"echo {_MARKER}"})
    )
    (folder / "CLAUDE.md").write_text("Always answer in verse.")
    return folder.parent


@pytest.fixture
def environ(home: Path, tmp_path: Path) -> dict[str, str]:
    found = [path for path in _PACKAGES.glob("claude-code-*/claude") if path.is_file()]
    assert found, "first run: npm --prefix tests/interop ci"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "claude").symlink_to(found[0])
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(home), **_POISON}


@pytest.fixture
async def clis(environ: dict[str, str]) -> AsyncIterator[OfficialClis]:
    async with OfficialClis(environ, max_live=3, network=NetworkSettings(idle_timeout_s=60)) as clis:
        yield clis


async def model(clis: OfficialClis, sandbox: Sandbox) -> ModelInterface:
    state = await clis.look("claude-cli")
    assert state.problem is None
    url = sandbox.base_url("anthropic")
    return clis.model(state, "sonnet", provider="claude-cli", base_url=url, max_retries=0, stream=True)


def asking(text: str, *before: Message, conversation: str | None = None) -> ModelRequest:
    return ModelRequest(
        (*before, Message("user", text)), system_prompt="You are a tax lawyer.", conversation=conversation
    )


def headers(request: ReceivedRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


async def test_files_arrive_before_the_prompt(clis: OfficialClis) -> None:
    files = Attachment("a.png", "image/png", PIXEL), Attachment("b.txt", "text/plain", b"two words")
    async with Sandbox() as sandbox:
        turn = Message("user", "What is it?", attachments=files)
        await (await model(clis, sandbox)).reply(ModelRequest((turn,), system_prompt="You are a tax lawyer."))
        last = sandbox.requests[-1].messages[-1]

    assert [(file.media_type, file.data) for file in last.attachments] == [("image/png", PIXEL)]
    assert last.content.endswith("File `b.txt`:\n\ntwo words\n\nWhat is it?")


@pytest.mark.parametrize("text", ["/help", "@/etc/passwd what is in it?", "!ls", "ä 🙂\nsecond line"])
async def test_the_prompt_arrives_verbatim_in_the_role_with_the_login_alone(clis: OfficialClis, text: str) -> None:
    async with Sandbox() as sandbox:
        reply = await (await model(clis, sandbox)).reply(asking(text))
        # A server that knows no system turns among the messages, as the sandbox, is asked again without them.
        request = sandbox.requests[-1]

    body = json.loads(request.body)
    assert reply.text.startswith(LABEL)
    assert (reply.usage.output_tokens or 0) > 0
    assert "You are a tax lawyer." in [block["text"] for block in body["system"]]
    assert body.get("tools", []) == []
    assert text in [block if isinstance(block, str) else block["text"] for block in _texts(body)]
    assert b"root:x:0" not in request.body
    assert b"verse" not in request.body
    assert headers(request)["authorization"] == f"Bearer {_TOKEN}"
    assert "x-api-key" not in headers(request)
    assert _MARKER not in f"{headers(request)}{request.body!r}"


def _texts(body: dict[str, object]) -> list[str | dict[str, str]]:
    messages = body["messages"]
    assert isinstance(messages, list)
    texts: list[str | dict[str, str]] = []
    for message in messages:
        content = message["content"]
        texts.extend([content] if isinstance(content, str) else content)
    return texts


async def test_one_process_carries_a_conversation(clis: OfficialClis) -> None:
    async with Sandbox() as sandbox:
        talker = await model(clis, sandbox)
        history: list[Message] = []
        for turn in range(4):
            reply = await talker.reply(asking(f"turn {turn}", *history, conversation="c"))
            history += [Message("user", f"turn {turn}"), Message("assistant", reply.text)]
        last = sandbox.requests[-1]

    told = json.dumps(json.loads(last.body)["messages"])
    assert all(f"turn {turn}" in told for turn in range(4))


async def test_several_at_once_all_answer_and_leave_nothing(
    clis: OfficialClis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "rooms"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    async with Sandbox() as sandbox:
        talker = await model(clis, sandbox)
        replies = await asyncio.gather(*(talker.reply(asking(f"call {n}")) for n in range(6)))
        async with clis:  # leaving waits for what is on its way out
            pass

    assert len(replies) == 6
    assert _names(room) == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, NotLoggedIn),
        (403, AccessRefused),
        (404, ModelNotFound),
        (429, RateLimited),
        (529, ProviderOverloaded),
    ],
)
async def test_what_the_provider_refuses_is_told_apart(
    clis: OfficialClis, status: int, error: type[LlmOrcError]
) -> None:
    async with Sandbox(faults=[Fault(Status(status))]) as sandbox:
        with pytest.raises(error):
            await (await model(clis, sandbox)).reply(asking("hello"))


async def test_its_state_is_read_without_asking_anybody(environ: dict[str, str], home: Path) -> None:
    async with OfficialClis(environ) as clis:
        logged_in = await clis.look("claude-cli")
    (home / ".claude" / ".credentials.json").unlink()
    async with OfficialClis(environ) as clis:
        logged_out = await clis.look("claude-cli")

    assert (logged_in.login, logged_in.plan, logged_in.problem) == ("plan", "max", None)
    assert isinstance(logged_out.problem, NotLoggedIn)


def profile(home: Path, kind: str) -> Path:
    """Make a profile of Anthropic's other programs the active one, with what it needs to be used."""
    folder = home / ".config" / "anthropic"
    token = {
        "version": "1.0",
        "type": "oauth_token",
        "access_token": _MARKER,
        "expires_at": int(time.time()) + 8000,
    }
    authentication = {
        "type": kind,
        "client_id": "invented",
        "federation_rule_id": "fdrl_1",
        "service_account_id": "svac_1",
        "identity_token": {"source": "file", "path": str(folder / "identity")},
    }
    files = {
        "active_config": "work",
        "identity": _MARKER,
        "configs/work.json": json.dumps(
            {"version": "1.0", "authentication": authentication, "organization_id": "o"}
        ),
        "credentials/work.json": json.dumps(token),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder / "configs" / "work.json"


@pytest.mark.parametrize("kind", ["oidc_federation", "user_oauth"])
async def test_a_profile_beside_a_stored_plan_login_never_pays(
    environ: dict[str, str], home: Path, kind: str
) -> None:
    profile(home, kind)
    async with Sandbox() as sandbox, OfficialClis(environ) as clis:
        state = await clis.look("claude-cli")
        await (await model(clis, sandbox)).reply(asking("hello"))
        sent = [f"{headers(request)}{request.body!r}" for request in sandbox.requests]

    assert (state.login, state.problem) == ("plan", None)
    assert sent
    assert all(f"Bearer {_TOKEN}" in one and _MARKER not in one for one in sent)


@pytest.mark.parametrize("kind", ["oidc_federation", "user_oauth"])
async def test_a_profile_alone_is_no_plan_and_is_named(environ: dict[str, str], home: Path, kind: str) -> None:
    file = profile(home, kind)
    (home / ".claude" / ".credentials.json").unlink()
    async with OfficialClis(environ) as clis:
        state = await clis.look("claude-cli")

    assert isinstance(state.problem, MeteredNotAllowed)
    assert str(file) in state.problem.message
