"""GitHub's `copilot` as a chat model: what we send it, what it may do, who pays, and how it fails."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from llm_orc.errors import (
    AccessNotSupported,
    ContentRefused,
    LlmOrcError,
    MeteredNotAllowed,
    ModelNotFound,
    NotLoggedIn,
    PlanLimitReached,
    PromptTooLarge,
    ProviderOverloaded,
    ProviderUnreachable,
    ReplyCut,
    ReplyTimedOut,
    ReplyUnreadable,
    RequestRejected,
    ToolAttempted,
)
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest, Reply, Usage
from llm_orc.providers.official_cli.official import OfficialClis
from llm_orc.providers.official_cli.state import CliState
from tests.fakes.copilot import install, seen

_SECRETS = ("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "COPILOT_PROVIDER_API_KEY", "OPENAI_API_KEY")
_SWITCHES = ("COPILOT_ALLOW_ALL", "COPILOT_PROVIDER_BASE_URL", "COPILOT_MODEL", "GH_HOST", "BASH_ENV")


async def look(home: Path) -> CliState:
    async with OfficialClis({"PATH": str(home / "bin"), "HOME": str(home)}) as clis:
        return await clis.look("copilot-cli")


async def ask(
    home: Path,
    text: str,
    *before: Message,
    role: str | None = None,
    model: str | None = None,
    base_url: str | None = None,
    idle_s: float = 20,
) -> Reply:
    environ = {"PATH": str(home / "bin"), "HOME": str(home), **dict.fromkeys((*_SECRETS, *_SWITCHES), "marker")}
    path = home / "bin" / "copilot"
    async with OfficialClis(environ, network=NetworkSettings(idle_timeout_s=idle_s)) as clis:
        state = CliState("copilot-cli", "copilot", path, "1.0.102", "plan", "Copilot")
        asked = clis.model(state, model, provider="copilot-cli", base_url=base_url, max_retries=0)
        return await asked.reply(ModelRequest((*before, Message("user", text)), system_prompt=role))


def sent(home: Path, method: str) -> dict[str, object]:
    """Return the last message of this method, with what surrounds it."""
    return [message for message in seen(home) if message.get("method") == method][-1]


def session(home: Path) -> dict[str, object]:
    params = sent(home, "session.create")["params"]
    assert isinstance(params, dict)
    return params


# --- what it is sent ---


async def test_a_session_has_no_tool_no_server_and_nothing_of_its_user(tmp_path: Path, room: Path) -> None:
    home = install(tmp_path / "copilot")

    reply = await ask(home, "hello", role="You are a lawyer.")

    asked, cwd = session(home), sent(home, "session.create")["_cwd"]
    assert reply.text == "answer to hello"
    assert asked["availableTools"] == []
    assert asked["mcpServers"] == {}
    assert asked["systemMessage"] == {"mode": "replace", "content": "You are a lawyer."}
    assert asked["workingDirectory"] == cwd
    assert asked["configDir"] not in (None, "", str(home))
    for folder in (cwd, asked["configDir"]):
        assert str(folder).startswith(str(room))
    off = ("enableSkills", "enableFileHooks", "enableConfigDiscovery", "enableSessionStore", "requestElicitation")
    assert [asked[name] for name in off] == [False] * len(off)
    assert (asked["streaming"], asked["memory"]) == (True, {"enabled": False})
    assert "model" not in asked
    assert "provider" not in asked
    more = sent(home, "session.options.update")["params"]
    assert isinstance(more, dict)
    assert more["sessionId"] == asked["sessionId"]
    assert (more["skipCustomInstructions"], more["installedPlugins"]) == (True, [])
    assert list(room.iterdir()) == []  # noqa: ASYNC240 - a test


async def test_neither_the_role_nor_the_task_is_among_its_arguments(tmp_path: Path) -> None:
    home = install(tmp_path / "copilot")

    await ask(home, "secret task", role="secret role")

    argv = sent(home, "session.send")["_argv"]
    assert isinstance(argv, list)
    assert {"--headless", "--stdio", "--no-auto-update"} <= set(argv)
    assert not any("secret" in word for word in argv)


async def test_it_gets_no_token_no_other_provider_and_no_leave_to_act(tmp_path: Path) -> None:
    home = install(tmp_path / "copilot")

    await ask(home, "hello")

    environ = sent(home, "connect")["_environ"]
    assert isinstance(environ, dict)
    assert not {*_SECRETS, *_SWITCHES} & set(environ)
    assert environ["HOME"] == str(home)


async def test_a_prompt_is_sent_as_it_is(tmp_path: Path) -> None:
    home = install(tmp_path / "copilot")

    await ask(home, "@/etc/passwd /help é\n")

    assert sent(home, "session.send")["params"] == {
        "sessionId": session(home)["sessionId"],
        "prompt": "@/etc/passwd /help é\n",
    }


async def test_the_history_stands_in_its_prompt(tmp_path: Path) -> None:
    home = install(tmp_path / "copilot")

    await ask(home, "and now?", Message("user", "one"), Message("assistant", "uno"))

    prompt = str(sent(home, "session.send")["params"])
    places = [prompt.index(part) for part in ("one", "uno", "and now?")]
    assert places == sorted(places)


async def test_the_model_is_asked_for_and_the_one_that_answered_is_told(tmp_path: Path) -> None:
    home = install(tmp_path / "copilot")

    reply = await ask(home, "hello", model="m-1")

    assert session(home)["model"] == "m-1"
    assert reply.model == "m-9"


async def test_another_server_is_called_without_a_key_and_without_a_login(tmp_path: Path) -> None:
    home = install(tmp_path / "copilot", "logged-out")

    await ask(home, "hello", base_url="http://127.0.0.1:9/v1")

    provider = {"type": "openai", "wireApi": "completions", "baseUrl": "http://127.0.0.1:9/v1"}
    assert session(home)["provider"] == provider
    assert "auth.getStatus" not in [message["method"] for message in seen(home)]


# --- who pays ---


@pytest.mark.parametrize("flags", [(), ("gh",)])
async def test_the_account_of_its_user_is_the_plan(tmp_path: Path, flags: tuple[str, ...]) -> None:
    state = await look(install(tmp_path / "copilot", *flags))

    assert (state.login, state.plan, state.version, state.problem) == ("plan", "Copilot", "1.0.102", None)
    assert "octo" not in repr(state)


@pytest.mark.parametrize(("flag", "login"), [("env-token", "metered"), ("key", "metered"), ("odd", "unknown")])
async def test_any_other_login_is_never_the_plan(tmp_path: Path, flag: str, login: str) -> None:
    home = install(tmp_path / "copilot", flag)

    state = await look(home)
    with pytest.raises(MeteredNotAllowed):
        await ask(home, "hello")  # it may have changed since

    assert state.login == login
    assert type(state.problem) is MeteredNotAllowed
    assert "session.send" not in [message["method"] for message in seen(home)]


async def test_a_call_of_another_provider_than_github_ends_the_turn(tmp_path: Path) -> None:
    with pytest.raises(MeteredNotAllowed, match="another provider"):
        await ask(install(tmp_path / "copilot", "byok"), "hello")


async def test_usage_is_what_it_reports_or_unknown(tmp_path: Path) -> None:
    told = await ask(install(tmp_path / "one"), "hello")
    untold = await ask(install(tmp_path / "other", "no-usage"), "hello")

    assert told.usage == Usage(20, 3, 5, 0)
    assert untold.usage == Usage()


# --- what it may do ---


@pytest.mark.parametrize(
    "doing",
    [
        "call bash",
        'event tool.execution_start {"toolName": "bash"}',
        'event assistant.tool_call_delta {"toolName": "bash"}',
        'event permission.requested {"requestId": "r", "permissionRequest": {"kind": "bash"}}',
        "event external_tool.requested",
        "event user_input.requested",
        "event elicitation.requested",
        "event subagent.started",
        "event skill.invoked",
        "ask permission.request",
        "ask tool.call",
        "ask hooks.invoke",
    ],
)
async def test_whatever_acts_or_asks_for_leave_ends_the_turn(tmp_path: Path, doing: str) -> None:
    home = install(tmp_path / "copilot")

    with pytest.raises(ToolAttempted, match="tool"):
        await ask(home, f"[do {doing}]")

    assert [message["method"] for message in seen(home)][-1] == "session.send"  # nothing was answered


async def test_other_requests_are_told_that_nothing_is_offered(tmp_path: Path) -> None:
    reply = await ask(install(tmp_path / "copilot"), "[do ask sessionFs.readFile]")

    assert json.loads(reply.text)["code"] == -32601


# --- how it fails ---


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"errorType": "quota", "message": "You have no credits left"}, PlanLimitReached),
        ({"errorType": "rate_limit", "message": "slow down"}, PlanLimitReached),
        ({"errorType": "query", "statusCode": 402, "message": "402 no quota"}, PlanLimitReached),
        ({"errorType": "authentication", "statusCode": 401, "message": "bad token"}, NotLoggedIn),
        ({"errorType": "query", "message": "Execution failed: No GitHub OAuth token provided"}, NotLoggedIn),
        (
            {"errorType": "authorization", "statusCode": 403, "message": "your organisation forbids it"},
            RequestRejected,
        ),
        ({"errorType": "query", "statusCode": 400, "message": "bad thing"}, RequestRejected),
        ({"errorType": "query", "statusCode": 404, "message": "model m-1 not found"}, ModelNotFound),
        ({"errorType": "query", "message": 'Model "m-1" is not available'}, ModelNotFound),
        ({"errorType": "context_limit", "message": "too long"}, PromptTooLarge),
        ({"errorType": "query", "message": "Request exceeds the model's prompt budget"}, PromptTooLarge),
        ({"errorType": "query", "message": "network fetch failed: request failed"}, ProviderUnreachable),
        ({"errorType": "query", "statusCode": 503, "message": "boom"}, ProviderOverloaded),
        ({"errorType": "of a later version", "message": "boom"}, ProviderOverloaded),
    ],
)
async def test_each_failure_is_a_typed_error(
    tmp_path: Path, told: dict[str, object], error: type[LlmOrcError]
) -> None:
    with pytest.raises(error) as raised:
        await ask(install(tmp_path / "copilot"), f"[do fail {json.dumps(told)}]")

    assert type(raised.value) is error
    assert str(told["message"]) in str(raised.value)


@pytest.mark.parametrize(
    ("doing", "error"),
    [
        ("nothing", ReplyUnreadable),
        ("abort", ReplyCut),
        ("gone", ReplyCut),
        ("finish content_filter", ContentRefused),
        ("finish tool_calls", ToolAttempted),
        ("limit", PlanLimitReached),
        ('event session.truncation {"messagesRemovedDuringTruncation": 1}', PromptTooLarge),
    ],
)
async def test_an_answer_that_is_none_is_an_error(tmp_path: Path, doing: str, error: type[LlmOrcError]) -> None:
    with pytest.raises(error):
        await ask(install(tmp_path / "copilot"), f"[do {doing}]")


async def test_an_answer_that_was_cut_says_so(tmp_path: Path) -> None:
    reply = await ask(install(tmp_path / "copilot"), "[do finish length]")
    odd = await ask(install(tmp_path / "other"), "[do finish later]")

    assert reply.stop_reason == "max_tokens"
    assert (odd.stop_reason, odd.stop_word) == ("other", "later")


async def test_its_own_retries_are_shown(tmp_path: Path) -> None:
    home, shown = install(tmp_path / "copilot"), Shown()
    async with OfficialClis({"PATH": str(home / "bin"), "HOME": str(home)}) as clis:
        state = await clis.look("copilot-cli")
        asked = clis.model(state, None, provider="copilot-cli", max_retries=0, stream=True)
        await asked.reply(ModelRequest((Message("user", "[do retry]"),)), shown)

    assert "".join(shown.pieces) == "answer to [do retry]"
    assert [type(error) for error in shown.errors] == [ProviderOverloaded]


async def test_silence_ends(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(ReplyTimedOut):
        await ask(install(tmp_path / "copilot"), "[do silence]", idle_s=0.3)

    assert time.monotonic() - start < 10


async def test_a_version_that_keeps_instructions_is_not_used(tmp_path: Path) -> None:
    home = install(tmp_path / "copilot", "unrestricted")

    with pytest.raises(AccessNotSupported, match="instructions"):
        await ask(home, "hello")

    assert "session.send" not in [message["method"] for message in seen(home)]


@pytest.mark.parametrize(
    ("flag", "error", "words"),
    [
        ("logged-out", NotLoggedIn, "is not logged in"),
        ("offline", AccessNotSupported, "can't find out whether it is logged in"),
        ("old", AccessNotSupported, "1.0.60 is too old"),
        ("later", AccessNotSupported, "speaks version 4"),
        ("broken", AccessNotSupported, "unknown option"),
    ],
)
async def test_what_is_wrong_with_it_is_known_before_a_run(
    tmp_path: Path, room: Path, flag: str, error: type[LlmOrcError], words: str
) -> None:
    home = install(tmp_path / "copilot", flag)

    state = await look(home)

    assert type(state.problem) is error
    assert words in str(state.problem)
    assert state.problem.hint
    assert "session.send" not in [message["method"] for message in seen(home)]  # no model is asked
    assert list(room.iterdir()) == []  # noqa: ASYNC240 - a test


@pytest.mark.parametrize(
    ("flag", "error"),
    [("logged-out", NotLoggedIn), ("offline", ProviderUnreachable), ("later", AccessNotSupported)],
)
async def test_a_turn_checks_it_again(tmp_path: Path, flag: str, error: type[LlmOrcError]) -> None:
    home = install(tmp_path / "copilot", flag)

    with pytest.raises(error):
        await ask(home, "hello")

    assert "session.send" not in [message["method"] for message in seen(home)]


async def test_it_is_told_how_to_log_in(tmp_path: Path) -> None:
    problem = (await look(install(tmp_path / "copilot", "logged-out"))).problem

    assert isinstance(problem, NotLoggedIn)
    assert (problem.hint, problem.provider) == ("copilot login", "copilot-cli")


class Shown:
    """What a call showed while it ran."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.errors: list[LlmOrcError] = []

    def text(self, piece: str) -> None:
        self.pieces.append(piece)

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self.errors.append(error)
