"""One turn of `copilot`: its handshake, the session without tools, the events of its answer.

The model is offered no tool. If it asks for one all the same, or the program asks us to allow one, the turn ends.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from llm_orc.errors import (
    AccessNotSupported,
    ContentRefused,
    MeteredNotAllowed,
    NotLoggedIn,
    PromptTooLarge,
    ProviderOverloaded,
    RateLimited,
    ReplyCut,
    ReplyUnreadable,
)
from llm_orc.providers.base import Usage
from llm_orc.providers.dialects.endings import CHAT, RESPONSES, meaning_of, plain_word
from llm_orc.providers.official_cli.copilot import messages
from llm_orc.providers.official_cli.copilot.failures import failure_of
from llm_orc.providers.official_cli.copilot.login import problem_of, refuse_other_protocol, standing_of
from llm_orc.providers.official_cli.lines import is_true, list_in, number_in, object_in, text_in
from llm_orc.providers.official_cli.program import (
    Answered,
    Piece,
    Respond,
    TriesAgain,
    TurnReader,
    Working,
    tool_used,
)
from llm_orc.providers.usage import added_in, believed, count_in, counted, sum_of

if TYPE_CHECKING:
    from llm_orc.catalog.rows import OfficialCliRow
    from llm_orc.errors import AuthError, LlmOrcError
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.program import Call, Meaning

# Events of something that acts, or that waits for a person's word; each begins with one of these.
_ACTS = (
    *("tool.", "external_tool.", "permission.requested", "assistant.tool_call_delta", "assistant.server_tool"),
    *("subagent.started", "skill.invoked", "workflow.run_started", "command.execute", "session.canvas.opened"),
    *("user_input.requested", "elicitation.requested", "sampling.requested", "exit_plan_mode.requested"),
    *("mcp.oauth_required", "session.handoff"),
)
_WORKS = "assistant."  # events that show progress begin with it


class CopilotTurn(TurnReader):
    """Reads one turn."""

    def __init__(self, target: Target, row: OfficialCliRow, call: Call, prompt: str) -> None:
        self._target, self._row, self._call, self._prompt = target, row, call, prompt
        self._session = str(uuid.uuid4())
        self._has_begun = False
        self._problem: AuthError | None = None  # of its login
        self._model = call.model or ""
        self._text = self._stop = ""
        self._usage: Usage | None = None  # of all calls of the turn
        self._trouble: LlmOrcError | None = None  # its last failed call

    def read(self, said: Fields) -> Meaning:
        method = text_in(said, "method")
        if method and "id" in said:
            return self._requested(said, method)
        if method == "session.event":
            event = object_in(said, "params", "event")
            return self._happened(text_in(event, "type"), object_in(event, "data"))
        return None if method else self._answered(text_in(said, "id"), said)

    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        what = f"`{self._row.command}` ended (exit code {exit_code})"
        words = f": {complaint}" if complaint else ""
        if not self._has_begun:
            return AccessNotSupported(
                f"{what} instead of starting a session{words}", hint=f"Update it: `{self._row.command} update`."
            )
        return ReplyCut(f"{what} before the answer did{words}", hint="Run it again.")

    def _requested(self, said: Fields, method: str) -> Meaning:
        if method.startswith(("permission", "tool", "userInput", "exitPlanMode", "hooks", "installations")):
            raise tool_used(self._target, method)
        return Respond(messages.not_offered(_id_of(said), method))

    def _answered(self, request: str, said: Fields) -> Meaning:
        if "error" in said:
            raise failure_of(self._target, self._row, object_in(said, "error"))
        result = object_in(said, "result")
        match request:
            case messages.CONNECT:
                refuse_other_protocol(self._row, result)
                # Another server than GitHub's needs no login.
                return (
                    self._begin() if self._call.base_url else Respond(messages.request(messages.LOGIN_STATUS, {}))
                )
            case messages.LOGIN_STATUS:
                self._problem = problem_of(self._row, standing_of(result))
                if self._problem is None or isinstance(self._problem, NotLoggedIn):
                    return self._begin()  # if GitHub can't be reached, only this tells
                raise self._problem
            case messages.CREATE:
                if self._problem is not None:
                    raise self._problem
                self._has_begun = True
                return Respond(messages.restrict(self._session), is_accepted=True)
            case messages.RESTRICT:
                return self._ask(is_restricted=is_true(result, "success"))
            case _:
                return None

    def _begin(self) -> Respond:
        call = self._call
        return Respond(messages.create(self._session, call.room, call.model, call.system_prompt, call.base_url))

    def _ask(self, *, is_restricted: bool) -> Respond:
        if not is_restricted:
            raise AccessNotSupported(
                f"this `{self._row.command}` does not let its instructions and plugins be switched off",
                hint=f"Update it: `{self._row.command} update`.",
            )
        return Respond(messages.send(self._session, self._prompt))

    def _happened(self, kind: str, data: Fields) -> Meaning:
        if kind.startswith(_ACTS):
            name = text_in(data, "toolName") or text_in(data, "permissionRequest", "kind") or kind
            raise tool_used(self._target, name)
        match kind:
            case "assistant.message_delta":
                return Piece(text_in(data, "deltaContent"))
            case "assistant.message":
                return self._said(data)
            case "assistant.usage":
                self._called(data)
            case "assistant.turn_retry":
                why = self._trouble or ProviderOverloaded(f"{self._target} failed: no reason given")
                return TriesAgain(why, 0.0)
            case "session.idle":
                return self._ended_turn(was_aborted=is_true(data, "aborted"))
            case _:
                self._refuse_end(kind, data)
        return Working() if kind.startswith(_WORKS) else None

    def _refuse_end(self, kind: str, data: Fields) -> None:
        match kind:
            case "model.call_failure":
                self._trouble = failure_of(self._target, self._row, data)
                if isinstance(self._trouble, RateLimited):
                    raise self._trouble  # it would keep trying
            case "session.error":
                raise failure_of(self._target, self._row, data)
            case "session.truncation" if number_in(data, "messagesRemovedDuringTruncation"):
                raise PromptTooLarge(
                    f"the prompt is too large for {self._target}: `{self._row.command}` left out a part of it",
                    hint="Shorten the input, or use a model with a larger context.",
                )
            case "session_limits_exhausted.requested" | "auto_mode_switch.requested":
                raise failure_of(self._target, self._row, {"errorType": "quota", "message": kind})
            case _:
                pass

    def _said(self, data: Fields) -> Meaning:
        asked = next((one for one in list_in(data, "toolRequests") if isinstance(one, dict)), None)
        if asked is not None:
            raise tool_used(self._target, text_in(asked, "name"))
        self._text = text_in(data, "content") or self._text
        self._model = text_in(data, "model") or self._model
        return Working()

    def _called(self, data: Fields) -> None:
        if is_true(data, "isByok") and not self._call.base_url:
            raise MeteredNotAllowed(
                f"`{self._row.command}` has called another provider than GitHub, which no Copilot plan pays",
                hint=f"Remove the provider from its own settings; see `{self._row.command} help providers`.",
            )
        self._stop = text_in(data, "finishReason")
        # Its `inputTokens` have those of the cache among them.
        usage = counted(
            count_in(data, "inputTokens"),
            count_in(data, "outputTokens"),
            cache_read=added_in(data, "cacheReadTokens"),
            cache_write=added_in(data, "cacheWriteTokens"),
        )
        self._usage = usage if self._usage is None else _sum(self._usage, usage)

    def _ended_turn(self, *, was_aborted: bool) -> Answered:
        stop = meaning_of(self._stop, {**RESPONSES, **CHAT})
        if was_aborted or stop == "cut":
            raise ReplyCut(
                f"the answer of {self._target} broke off: {plain_word(self._stop) or 'it was cancelled'}"
            )
        if stop == "refusal":
            raise ContentRefused(f"{self._target} refused to answer", hint="Reword the prompt.")
        if stop == "tool":
            raise tool_used(self._target, plain_word(self._stop))
        if not self._text:
            raise self._trouble or ReplyUnreadable(f"{self._target} ended its turn without an answer")
        word = plain_word(self._stop) if stop == "other" else ""
        return Answered(
            self._text, self._model, believed(self._usage or Usage()), stop, stop_word=word, may_go_on=False
        )


def _sum(one: Usage, other: Usage) -> Usage:
    """Return the usage of two calls; a count that is unknown of one is unknown of both."""
    return Usage(
        sum_of(one.input_tokens, other.input_tokens),
        sum_of(one.output_tokens, other.output_tokens),
        one.cache_read_tokens + other.cache_read_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
    )


def _id_of(said: Fields) -> JsonValue:
    request_id = said.get("id")
    return request_id if isinstance(request_id, str | int | float) else None
