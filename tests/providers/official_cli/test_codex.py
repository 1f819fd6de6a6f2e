"""`codex` as the second row of the table: one process a call, its answer whole, its failures told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.errors import (
    AccessNotSupported,
    LlmOrcError,
    MeteredNotAllowed,
    NotLoggedIn,
    ProviderOverloaded,
    ProviderUnreachable,
    RateLimited,
    ReplyCut,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.jsontypes import JsonValue
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest, Reply
from llm_orc.providers.official_cli.official import OfficialClis
from tests.fakes.codex import calls, install


@pytest.fixture
def codex(tmp_path: Path) -> Path:
    return install(tmp_path / "stand-in")


async def ask(codex: Path, text: str, *before: Message, base_url: str | None = None) -> Reply:
    environ = {"PATH": str(codex / "bin"), "HOME": str(codex), "OPENAI_API_KEY": "sk-marker", "CODEX_HOME": "/c"}
    async with OfficialClis(environ, network=NetworkSettings(idle_timeout_s=20)) as clis:
        state = await clis.look("codex-cli")
        model = clis.model(state, "gpt-5.5", provider="codex-cli", base_url=base_url, max_retries=0)
        return await model.reply(ModelRequest((*before, Message("user", text)), system_prompt="You are a lawyer."))


def seen(codex: Path) -> dict[str, object]:
    found: dict[str, object] = calls(codex)[-1]
    return found


async def test_it_answers_in_its_role_without_any_key(codex: Path) -> None:
    reply = await ask(codex, "@/etc/passwd /help")

    told = seen(codex)
    assert reply.text == "answer to @/etc/passwd /help"
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cache_read_tokens) == (20, 3, 5)
    assert told["prompt"] == "@/etc/passwd /help"
    assert told["role"] == "You are a lawyer."
    assert "sk-marker" not in str(told)
    assert "lawyer" not in str(told["arguments"])


async def test_a_schema_is_a_file_that_it_is_told_of(codex: Path) -> None:
    environ = {"PATH": str(codex / "bin"), "HOME": str(codex), "CODEX_HOME": "/c"}
    async with OfficialClis(environ, network=NetworkSettings(idle_timeout_s=20)) as clis:
        model = clis.model(await clis.look("codex-cli"), "gpt-5.5", provider="codex-cli", max_retries=0)
        flat: dict[str, JsonValue] = {"type": "object", "properties": {"a": {"type": "string"}}}
        sent = await model.reply(ModelRequest((Message("user", "x"),), schema=flat))
        said = await model.reply(ModelRequest((Message("user", "x"),), schema={"type": "object"}))

    arguments = calls(codex)[0]["arguments"]
    assert arguments[arguments.index("--output-schema") + 1].endswith("schema.json")
    assert (sent.is_enforced, said.is_enforced) == (True, False)
    assert "--output-schema" not in calls(codex)[1]["arguments"]
    assert '{"type": "object"}' in calls(codex)[1]["role"]


async def test_a_conversation_is_told_in_one_prompt(codex: Path) -> None:
    await ask(codex, "and now?", Message("user", "one"), Message("assistant", "uno"))

    prompt = str(seen(codex)["prompt"])
    assert prompt.index("one") < prompt.index("uno") < prompt.index("and now?")


async def test_only_a_configured_address_moves_it(codex: Path) -> None:
    await ask(codex, "hello", base_url="http://127.0.0.1:9/v1")
    moved = str(seen(codex)["arguments"])
    await ask(codex, "hello")

    assert "http://127.0.0.1:9/v1" in moved
    assert "model_provider" not in str(seen(codex)["arguments"])


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("[fail unexpected status 401 Unauthorized]", NotLoggedIn),
        ("[fail You've hit your usage limit]", RateLimited),
        ("[fail unexpected status 400 Bad Request]", RequestRejected),
        ("[fail stream disconnected]", ProviderOverloaded),
        ("[reconnecting]", ProviderUnreachable),
        ("[rubbish]", ReplyUnreadable),
        ("[mute]", ReplyUnreadable),
        ("[gone]", ReplyCut),
    ],
)
async def test_each_failure_is_told_apart(codex: Path, prompt: str, error: type[LlmOrcError]) -> None:
    with pytest.raises(error):
        await ask(codex, prompt)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("Logged in using ChatGPT", None),
        ("Logged in using an API key - sk-proj-***", MeteredNotAllowed),
        ("Not logged in", NotLoggedIn),
    ],
)
async def test_only_a_plan_will_do(codex: Path, status: str, error: type[LlmOrcError] | None) -> None:
    (codex / "status").write_text(status)
    async with OfficialClis({"PATH": str(codex / "bin")}) as clis:
        state = await clis.look("codex-cli")

    assert (type(state.problem) if state.problem else None) is error
    assert state.version == "0.171.0"


async def test_one_that_is_not_installed_says_how_to_get_it(tmp_path: Path) -> None:
    async with OfficialClis({"PATH": str(tmp_path)}) as clis:
        state = await clis.look("codex-cli")

    assert isinstance(state.problem, AccessNotSupported)
    assert "npm install -g @openai/codex" in (state.problem.hint or "")
