"""Agents that speak the Agent Client Protocol: what we send them, what they may do, and how they fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llm_orc.catalog.rows import OfficialCliRow
from llm_orc.catalog.table import added
from llm_orc.errors import (
    AccessNotSupported,
    ContentRefused,
    LlmOrcError,
    ModelNotFound,
    NotLoggedIn,
    ProviderOverloaded,
    RateLimited,
    ReplyCut,
    ReplyTimedOut,
    ReplyUnreadable,
    RequestRejected,
    ToolAttempted,
)
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest, Reply
from llm_orc.providers.official_cli.official import OfficialClis
from llm_orc.providers.official_cli.state import CliState
from tests.fakes.acp_agent import install, seen

ROW = OfficialCliRow(
    name="acp-test",
    title="A stand-in",
    product="Stand-in",
    command="acp-agent",
    driver="llm_orc.providers.official_cli.acp.cli:AcpAgent",
    dialect="openai-chat",
    origin="",
    install_hint="npm install -g acp-agent",
    login_command=("acp-agent", "login"),
    logout_command=(),
    arguments=("acp",),
)


async def look(home: Path) -> CliState:
    with added(ROW):
        async with OfficialClis({"PATH": str(home / "bin"), "HOME": str(home)}) as clis:
            return await clis.look("acp-test")


async def ask(
    home: Path, text: str, *before: Message, role: str | None = None, model: str | None = None, idle_s: float = 20
) -> Reply:
    environ = {"PATH": str(home / "bin"), "HOME": str(home), "OPENAI_API_KEY": "sk-marker", "GITHUB_TOKEN": "gh-m"}
    with added(ROW):
        async with OfficialClis(environ, network=NetworkSettings(idle_timeout_s=idle_s)) as clis:
            state = await clis.look("acp-test")
            asked = clis.model(state, model, provider="acp-test", max_retries=0)
            return await asked.reply(ModelRequest((*before, Message("user", text)), system_prompt=role))


def sent(home: Path, method: str) -> dict[str, object]:
    """Return the last message of this method, with what surrounds it."""
    return [message for message in seen(home) if message.get("method") == method][-1]


async def test_it_is_greeted_without_files_terminal_and_servers(tmp_path: Path, room: Path) -> None:
    home = install(tmp_path / "agent")

    reply = await ask(home, "hello")

    greeting, session = sent(home, "initialize"), sent(home, "session/new")
    nothing = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
    assert reply.text == "answer to hello"
    assert greeting["params"] | {"clientInfo": None} == {  # type: ignore[operator]
        "protocolVersion": 1,
        "clientCapabilities": nothing,
        "clientInfo": None,
    }
    assert session["params"] == {"cwd": session["_cwd"], "mcpServers": []}
    assert str(session["_cwd"]).startswith(str(room))
    assert list(room.iterdir()) == []  # noqa: ASYNC240 - a test


async def test_it_gets_no_key_and_no_token(tmp_path: Path) -> None:
    home = install(tmp_path / "agent")

    await ask(home, "hello")

    environ = sent(home, "session/prompt")["_environ"]
    assert isinstance(environ, dict)
    assert not {"OPENAI_API_KEY", "GITHUB_TOKEN"} & set(environ)


async def test_role_and_history_stand_in_its_prompt_between_marks(tmp_path: Path) -> None:
    home = install(tmp_path / "agent")

    await ask(home, "and now?", Message("user", "one"), Message("assistant", "uno"), role="You are a lawyer.")

    prompt = str(sent(home, "session/prompt")["params"])
    places = [prompt.index(part) for part in ("You are a lawyer.", "one", "uno", "and now?")]
    assert places == sorted(places)


async def test_without_a_role_its_prompt_is_the_text_itself(tmp_path: Path) -> None:
    home = install(tmp_path / "agent")

    await ask(home, "@/etc/passwd /help")

    assert sent(home, "session/prompt")["params"] == {
        "sessionId": "s-1",
        "prompt": [{"type": "text", "text": "@/etc/passwd /help"}],
    }


@pytest.mark.parametrize("model", ["large", "small", None])
async def test_the_model_is_chosen_only_if_it_is_another_one(tmp_path: Path, model: str | None) -> None:
    home = install(tmp_path / "agent")

    reply = await ask(home, "hello", model=model)

    chosen = [m["params"]["value"] for m in seen(home) if m.get("method") == "session/set_config_option"]
    assert chosen == (["large"] if model == "large" else [])
    assert reply.model == (model or "small")


@pytest.mark.parametrize(("flag", "words"), [("", "small, large"), ("no-models", "Remove `model: huge`")])
async def test_a_model_that_it_does_not_offer_is_an_error(tmp_path: Path, flag: str, words: str) -> None:
    home = install(tmp_path / "agent", flag)

    with pytest.raises(ModelNotFound) as refused:
        await ask(home, "hello", model="huge")

    assert words in (refused.value.hint or "")
    assert not [m for m in seen(home) if m.get("method") == "session/prompt"]


async def test_usage_is_what_it_reports_and_unknown_otherwise(tmp_path: Path) -> None:
    told = await ask(install(tmp_path / "told", "usage"), "hello")
    untold = await ask(install(tmp_path / "untold"), "hello")

    assert (told.usage.input_tokens, told.usage.output_tokens, told.usage.cache_read_tokens) == (20, 8, 5)
    assert (untold.usage.input_tokens, untold.usage.output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("flag", "outcome"),
    [
        ("", '{"outcome": {"outcome": "selected", "optionId": "no"}}'),
        ("no-reject", '{"outcome": {"outcome": "cancelled"}}'),
    ],
)
async def test_every_permission_is_rejected(tmp_path: Path, flag: str, outcome: str) -> None:
    reply = await ask(install(tmp_path / "agent", flag), "[do permission read][do answer]")

    assert reply.text == outcome


async def test_a_file_that_it_asks_us_for_is_not_given(tmp_path: Path) -> None:
    assert (await ask(install(tmp_path / "agent"), "[do file][do answer]")).text == "-32601"


@pytest.mark.parametrize("kind", ["edit", "delete", "move", "execute"])
@pytest.mark.parametrize("how", ["tool", "permission"])
async def test_a_tool_that_changes_or_runs_something_fails_the_turn(tmp_path: Path, how: str, kind: str) -> None:
    with pytest.raises(ToolAttempted, match="text only"):
        await ask(install(tmp_path / "agent"), f"[do {how} {kind}]")


@pytest.mark.parametrize("kind", ["read", "search", "think", "fetch", "other", "of-a-later-version"])
async def test_other_tools_do_not_fail_it(tmp_path: Path, kind: str) -> None:
    assert "answer to" in (await ask(install(tmp_path / "agent"), f"[do tool {kind}]")).text


@pytest.mark.parametrize(
    ("word", "reason", "own_word"),
    [
        ("max_tokens", "max_tokens", ""),
        ("max_turn_requests", "other", "max_turn_requests"),
        ("new", "other", "new"),
    ],
)
async def test_why_it_stopped_is_told(tmp_path: Path, word: str, reason: str, own_word: str) -> None:
    reply = await ask(install(tmp_path / "agent"), f"[do stop {word}]")

    assert (reply.stop_reason, reply.stop_word) == (reason, own_word)


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("[do stop refusal]", ContentRefused),
        ("[do stop cancelled]", ReplyCut),
        ("[do gone]", ReplyCut),
        ("[do fail -32000 Please sign in]", NotLoggedIn),
        ("[do fail -32603 Not authenticated]", NotLoggedIn),
        ("[do fail -32603 You have hit your usage limit]", RateLimited),
        ("[do fail -32602 Invalid params]", RequestRejected),
        ("[do fail -32603 Internal error]", ProviderOverloaded),
        ("[do silence]", ReplyTimedOut),
    ],
)
async def test_failures_are_told_apart(tmp_path: Path, prompt: str, error: type[LlmOrcError]) -> None:
    home = install(tmp_path / "agent")

    with pytest.raises(error):
        await ask(home, prompt, idle_s=1 if "silence" in prompt else 20)


async def test_no_login_names_the_command_that_logs_in(tmp_path: Path) -> None:
    with pytest.raises(NotLoggedIn) as refused:
        await ask(install(tmp_path / "agent", "logged-out"), "hello")

    assert refused.value.hint == "acp-agent login"


async def test_an_answer_without_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReplyUnreadable, match="without any text"):
        await ask(install(tmp_path / "agent"), "[do answer]")


async def test_its_state_is_only_that_it_is_there(tmp_path: Path) -> None:
    """Starting some of them takes half a minute, and a session would stay in their history."""
    home = install(tmp_path / "agent")

    state = await look(home)

    assert (state.path, state.login, state.problem) == (home / "bin" / "acp-agent", "unknown", None)
    assert seen(home) == []


@pytest.mark.parametrize(
    ("flag", "words"),
    [("later", "speaks version 2"), ("broken", "exit code 3.*cannot find module")],
)
async def test_one_that_does_not_begin_a_session_says_why(tmp_path: Path, flag: str, words: str) -> None:
    with pytest.raises(AccessNotSupported, match=words):
        await ask(install(tmp_path / "agent", flag), "hello")


async def test_one_that_is_not_there_says_how_to_install_it(tmp_path: Path) -> None:
    state = await look(tmp_path)

    assert state.problem is not None
    assert state.problem.hint == "npm install -g acp-agent"


@pytest.mark.slow
async def test_the_library_of_the_protocol_accepts_what_we_send(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "acp-agent"
    program.parent.mkdir()
    agent = Path(__file__).parents[2] / "fakes" / "acp_library_agent.py"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {agent}\n")
    program.chmod(0o755)

    reply = await ask(tmp_path, "hello", model="large")

    assert reply.text == "selected no large: hello"
    assert (reply.model, reply.usage.input_tokens, reply.usage.output_tokens) == ("large", 7, 2)
