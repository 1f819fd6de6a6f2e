"""One turn of an agent that speaks the Agent Client Protocol: its handshake, its updates and its answer.

The protocol can't switch an agent's tools off. Every request for permission is answered with no, and a tool that
changes or runs something fails the turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, ContentRefused, ReplyCut, ReplyUnreadable
from llm_orc.net.text import one_line
from llm_orc.providers.official_cli.acp import messages
from llm_orc.providers.official_cli.acp.failures import failure_of, model_not_offered
from llm_orc.providers.official_cli.lines import list_in, number_in, object_in, text_in
from llm_orc.providers.official_cli.program import Answered, Piece, Respond, TurnReader, Working, tool_used
from llm_orc.providers.usage import added_in, believed, count_in, counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llm_orc.catalog.rows import OfficialCliRow
    from llm_orc.errors import LlmOrcError
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import StopReason, Target
    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.program import Meaning

_ACTING = frozenset({"edit", "delete", "move", "execute"})  # kinds of tools that change or run something
_STOPS: dict[str, StopReason] = {"end_turn": "end_turn", "max_tokens": "max_tokens"}


class AcpTurn(TurnReader):
    """Reads one turn. `model` None: the agent's own choice."""

    def __init__(self, target: Target, row: OfficialCliRow, model: str | None, desk: Path, prompt: str) -> None:
        self._target, self._row, self._model = target, row, model
        self._desk, self._prompt = desk, prompt
        self._session = ""
        self._model_in_use = ""
        self._text: list[str] = []

    def read(self, said: Fields) -> Meaning:
        method = text_in(said, "method")
        if method and "id" in said:
            return self._requested(said, method)
        if method:
            return self._updated(object_in(said, "params", "update")) if method == "session/update" else None
        return self._answered(text_in(said, "id"), said)

    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        what = f"`{self._row.command}` ended (exit code {exit_code})"
        words = f": {complaint}" if complaint else ""
        if not self._session:
            return AccessNotSupported(
                f"{what} instead of starting a session{words}",
                hint=f"Try it by hand: `{' '.join((self._row.command, *self._row.arguments))}`.",
            )
        return ReplyCut(f"{what} before the answer did{words}", hint="Run it again.")

    def _requested(self, said: Fields, method: str) -> Meaning:
        request_id = _id_of(said)
        if method != "session/request_permission":
            return Respond(messages.not_offered(request_id, method))
        self._refuse_acting(object_in(said, "params", "toolCall"))
        options = [option for option in list_in(said, "params", "options") if isinstance(option, dict)]
        reject = (text_in(o, "optionId") for o in options if text_in(o, "kind").startswith("reject"))
        return Respond(messages.rejected(request_id, next(reject, None)))

    def _updated(self, update: Fields) -> Meaning:
        match text_in(update, "sessionUpdate"):
            case "agent_message_chunk":
                piece = text_in(update, "content", "text")
                self._text.append(piece)
                return Piece(piece)
            case "tool_call" | "tool_call_update":
                self._refuse_acting(update)
                return Working()
            case "agent_thought_chunk" | "plan":
                return Working()
            case _:
                return None  # of a later version, or of no interest

    def _refuse_acting(self, tool: Fields) -> None:
        if text_in(tool, "kind") in _ACTING:
            raise tool_used(self._target, text_in(tool, "title") or text_in(tool, "kind"))

    def _answered(self, request: str, said: Fields) -> Meaning:
        if "error" in said and request:
            raise failure_of(self._target, self._row, object_in(said, "error"))
        result = object_in(said, "result")
        match request:
            case messages.INITIALIZE:
                refuse_other_version(self._row, result)
                return Respond(messages.new_session(self._desk))
            case messages.NEW_SESSION:
                return self._begun(result)
            case messages.CONFIGURE:
                self._model_in_use = self._model or ""
                return Respond(messages.prompt(self._session, self._prompt), is_accepted=True)
            case messages.PROMPT:
                return self._ended_turn(result)
            case _:
                return None

    def _begun(self, result: Fields) -> Meaning:
        self._session = text_in(result, "sessionId")
        if not self._session:
            raise ReplyUnreadable(f"{self._target} began a session without an id")
        option = next(_model_options(result), {})
        offered = list(_values_of(option))
        self._model_in_use = text_in(option, "currentValue")
        if self._model is not None and self._model != self._model_in_use:
            if self._model not in offered:
                raise model_not_offered(self._target, self._row, self._model, offered)
            return Respond(messages.configure(self._session, text_in(option, "id"), self._model))
        return Respond(messages.prompt(self._session, self._prompt), is_accepted=True)

    def _ended_turn(self, result: Fields) -> Answered:
        word = text_in(result, "stopReason")
        if word == "refusal":
            raise ContentRefused(f"{self._target} refused to answer", hint="Reword the prompt.")
        if word == "cancelled":
            raise ReplyCut(f"the answer of {self._target} was cancelled by `{self._row.command}`")
        counts = object_in(result, "usage")
        usage = counted(
            count_in(counts, "inputTokens"),
            count_in(counts, "outputTokens"),
            cache_read=added_in(counts, "cachedReadTokens"),
            cache_write=added_in(counts, "cachedWriteTokens"),
            total=count_in(counts, "totalTokens"),
        )
        stop = _STOPS.get(word, "other")
        return Answered(
            "".join(self._text),
            self._model_in_use,
            believed(usage),
            stop,
            stop_word=one_line(word, 40) if stop == "other" else "",
            may_go_on=False,
        )


def refuse_other_version(row: OfficialCliRow, initialized: Fields) -> None:
    """Raise `AccessNotSupported` if the agent has chosen another version of the protocol."""
    version = number_in(initialized, "protocolVersion")
    if version != messages.PROTOCOL_VERSION:
        spoken = "does not say which version" if version is None else f"speaks version {version:g}"
        raise AccessNotSupported(
            f"`{row.command}` {spoken} of the Agent Client Protocol; this release of llm-orc speaks version"
            f" {messages.PROTOCOL_VERSION}",
            hint=f"Update `{row.command}`, and llm-orc.",
        )


def _model_options(session: Fields) -> Iterator[Fields]:
    for option in list_in(session, "configOptions"):
        if isinstance(option, dict) and "model" in {text_in(option, "category"), text_in(option, "id")}:
            yield option


def _values_of(option: Fields) -> Iterator[str]:
    """Yield the values of a choice, whose options may stand in groups."""
    for one in list_in(option, "options"):
        if isinstance(one, dict):
            yield from _values_of(one)
            if value := text_in(one, "value"):
                yield value


def _id_of(said: Fields) -> JsonValue:
    request_id = said.get("id")
    return request_id if isinstance(request_id, str | int | float) else None
