"""`codex`, OpenAI's command, as a model: one process for each call, with its own base prompt replaced by the role.

Tried on 0.169.0. Five of its own tools and its description of the surroundings can't be taken out of the request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec

from llm_orc.errors import (
    MeteredNotAllowed,
    NotLoggedIn,
    ProviderOverloaded,
    RateLimited,
    ReplyCut,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.net.text import one_line
from llm_orc.providers.base import Usage
from llm_orc.providers.official_cli.program import Answered, Answering, OfficialCli, Started, TurnReader
from llm_orc.providers.official_cli.state import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.errors import AuthError, LlmOrcError
    from llm_orc.providers.dialect import Target
    from llm_orc.providers.official_cli.program import Call, Meaning

_ROLE_FILE = "instructions.md"
_LOGIN = "codex login"


class _Item(msgspec.Struct):
    type: str = ""
    text: str = ""
    message: str = ""


class _Counts(msgspec.Struct):
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0


class _Error(msgspec.Struct):
    message: str = ""


class _Line(msgspec.Struct):
    type: str = ""
    item: _Item | None = None
    usage: _Counts | None = None
    error: _Error | None = None
    message: str = ""


_decode = msgspec.json.Decoder(_Line, strict=False).decode


@dataclass(frozen=True, slots=True)
class Codex(OfficialCli):
    name: ClassVar[str] = "codex-cli"
    title: ClassVar[str] = "OpenAI Codex' own command"
    command: ClassVar[str] = "codex"
    install_hint: ClassVar[str] = "npm install -g @openai/codex, then: codex login"
    login_command: ClassVar[tuple[str, ...]] = ("codex", "login")
    status_arguments: ClassVar[tuple[str, ...]] = ("login", "status")
    oldest: ClassVar[tuple[int, int, int]] = (0, 160, 0)
    keeps_talking: ClassVar[bool] = False
    longest_prompt: ClassVar[int] = 1_000_000
    also_sees: ClassVar[frozenset[str]] = frozenset({"CODEX_HOME"})

    def standing(self, exit_code: int, output: str) -> Standing:
        said = one_line(output).lower()
        if exit_code or "not logged in" in said:
            return Standing("none")
        if "chatgpt" in said:
            return Standing("plan", plan="ChatGPT", said="ChatGPT")
        return Standing("metered", said="an API key") if "api key" in said else Standing("unknown")

    def refusal_of_metered(self, standing: Standing) -> AuthError | None:
        return MeteredNotAllowed(
            f"`codex` is logged in with {standing.said}, which bills per token, not with a ChatGPT plan",
            hint="codex logout, then: codex login",
        )

    def arguments(self, call: Call) -> tuple[str, ...]:
        model = () if call.model is None else ("-m", call.model)
        server = () if call.base_url is None else _other_server(call.base_url)
        return (
            *("exec", "--json", "--skip-git-repo-check", "--ephemeral", "--ignore-user-config", "--ignore-rules"),
            *("-s", "read-only", "-C", str(call.room / "desk"), "--disable", "shell_tool"),
            *("-c", f"model_instructions_file={json.dumps(str(call.room / _ROLE_FILE))}"),
            *("-c", "web_search=disabled", *server, *model, "-"),
        )

    def variables(self, call: Call | None) -> Mapping[str, str]:
        return {}

    def files(self, call: Call) -> Mapping[str, str]:
        return {_ROLE_FILE: call.system_prompt or "You are a helpful assistant."}

    def turn(self, prompt: str) -> bytes:
        return prompt.encode("utf-8", "surrogatepass")

    def reader(self, target: Target, call: Call) -> CodexTurn:
        return CodexTurn(target, call.model)


class CodexTurn(TurnReader):
    """It gives no pieces: an answer comes whole."""

    def __init__(self, target: Target, model: str | None) -> None:
        self._target, self._model = target, model or ""
        self._texts: list[str] = []

    def read(self, line: bytes) -> Meaning:
        try:
            said = _decode(line)
        except msgspec.DecodeError:
            words = one_line(line[:400].decode("utf-8", "replace"), 120)
            raise ReplyUnreadable(f"{self._target} gave a line that is no JSON: {words}") from None
        match said.type:
            case "thread.started":
                return Started()
            case "item.completed" if said.item is not None and said.item.type == "agent_message":
                self._texts.append(said.item.text)
                return Answering()
            case "turn.completed":
                return self._completed(said.usage or _Counts())
            case "turn.failed":
                raise self._failure(said.error.message if said.error else said.message)
            case _:
                pass
        return None

    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        words = f": {complaint}" if complaint else ""
        return ReplyCut(
            f"`codex` ended (exit code {exit_code}) before the answer did{words}", hint="Run it again."
        )

    def _completed(self, counts: _Counts) -> Answered:
        if not self._texts:
            raise ReplyUnreadable(f"{self._target} ended its turn without an answer.")
        usage = Usage(counts.input_tokens, counts.output_tokens, counts.cached_input_tokens)
        return Answered(self._texts[-1], self._model, usage, may_go_on=True)

    def _failure(self, words: str) -> LlmOrcError:
        said, lower = one_line(words), words.lower()
        if "401" in lower or "refresh_token" in lower or "log in" in lower:
            return NotLoggedIn(f"`codex` is not logged in: {said}", hint=_LOGIN)
        if "429" in lower or "usage limit" in lower or "rate limit" in lower:
            return RateLimited(
                f"{self._target}: a limit of the plan is reached: {said}",
                hint="Wait for it, or allow another way in: llm-orc auth prefer",
                status=429,
                provider_message=said,
            )
        if "400" in lower or "422" in lower:
            return RequestRejected(f"{self._target} rejected the request: {said}", provider_message=said)
        return ProviderOverloaded(f"{self._target} failed: {said}", provider_message=said)


def _other_server(base_url: str) -> tuple[str, ...]:
    server = (
        f'{{name="llm-orc",base_url={json.dumps(base_url)},wire_api="responses",requires_openai_auth=true,'
        "request_max_retries=1,stream_max_retries=1}"
    )
    return ("-c", "model_provider=llm-orc", "-c", f"model_providers.llm-orc={server}")
