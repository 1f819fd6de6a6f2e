"""One turn of `claude` in stream-json: what each line means.

Deltas are provisional, `subtype` is "success" also for failures, and exit code 0 can mean failure:
`is_error` of the last line counts, and the text is that of the whole assistant messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.errors import AccessNotSupported, ContentRefused, MeteredNotAllowed, ReplyCut, ReplyUnreadable
from llm_orc.net.text import one_line
from llm_orc.providers.base import Usage
from llm_orc.providers.official_cli.claude_failures import PlanLimit, failure_of
from llm_orc.providers.official_cli.program import Answered, Answering, Piece, Started, TriesAgain, TurnReader

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.dialect import Target
    from llm_orc.providers.official_cli.program import Meaning

_SYNTHETIC = "<synthetic>"


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Message(msgspec.Struct):
    model: str = ""
    content: list[_Block] | str = ""


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    stop_reason: str | None = None


class _Counts(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: _Delta | None = None
    usage: _Counts | None = None
    message: _Message | None = None


class _Line(msgspec.Struct):
    """Every kind of line in one: `type` tells which fields are there."""

    type: str = ""
    subtype: str | None = None
    api_key_source: str | None = msgspec.field(default=None, name="apiKeySource")
    tools: list[str] | None = None
    model: str | None = None
    event: _Event | None = None
    message: _Message | None = None
    error: str | None = None
    attempt: int = 0
    retry_delay_ms: float = 0.0
    error_status: int | None = None
    rate_limit_info: PlanLimit | None = None
    is_error: bool = False
    result: str | None = None
    num_turns: int | None = None
    stop_reason: str | None = None
    terminal_reason: str | None = None
    api_error_status: int | None = None
    usage: _Counts | None = None


_decode = msgspec.json.Decoder(_Line, strict=False).decode


class ClaudeTurn(TurnReader):
    def __init__(self, target: Target) -> None:
        self._target = target
        self._has_spoken = False
        self._model = ""
        self._whole: list[str] = []  # of finished messages
        self._pieces: list[str] = []  # of the message that is coming
        self._error = ""  # Claude Code's word for what failed
        self._limit: PlanLimit | None = None
        self._counts: _Counts | None = None

    def read(self, line: bytes) -> Meaning:
        try:
            said = _decode(line)
            self._has_spoken = True
        except msgspec.DecodeError:
            raise self._unreadable(f"a line that is no JSON: {_excerpt(line)}") from None
        match said.type:
            case "system":
                return self._system(said)
            case "stream_event" if said.event is not None:
                return self._event(said.event)
            case "assistant" if said.message is not None:
                self._assistant(said.message, said.error)
            case "rate_limit_event":
                self._limit = said.rate_limit_info
            case "result":
                return self._result(said)
            case _:
                pass
        return None

    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        words = f": {complaint}" if complaint else ""
        if not self._has_spoken and exit_code > 0 and complaint:  # it says why it did not even start
            return AccessNotSupported(
                f"`claude` can't be used as it is (exit code {exit_code}){words}",
                hint="Try it by hand with `claude -p hello`, or update it with `claude update`.",
            )
        return ReplyCut(
            f"`claude` ended (exit code {exit_code}) before the answer did{words}",
            hint="Run it again. If it happens each time, try: claude -p hello",
        )

    def _system(self, said: _Line) -> Meaning:
        if said.subtype == "api_retry":
            self._forget()
            error = self._failure(said.error_status, said.error or "", said.error or "the call failed")
            return TriesAgain(error, said.attempt + 1, said.retry_delay_ms / 1000)
        if said.subtype != "init":
            return None
        if said.api_key_source not in {None, "none"}:
            raise MeteredNotAllowed(
                f"`claude` would use the API key of {one_line(said.api_key_source or '')} and bill per token,"
                " not your plan; it was stopped",
                hint="Remove the key from the settings of Claude Code, or look with: claude auth status",
            )
        if said.tools:
            raise AccessNotSupported(
                f"this `claude` gives the model tools ({one_line(', '.join(said.tools))}), though told not to",
                hint="Update it with: claude update",
            )
        return Started()

    def _event(self, event: _Event) -> Meaning:
        if event.type == "message_start":
            self._forget()
            self._model = event.message.model if event.message is not None else self._model
            return Answering()
        if event.type == "content_block_delta" and event.delta is not None and event.delta.type == "text_delta":
            self._pieces.append(event.delta.text)
            return Piece(event.delta.text)
        if event.type == "message_delta" and event.delta is not None:
            self._counts = event.usage or self._counts
            if event.delta.stop_reason == "max_tokens":
                # It would now ask for the rest by itself, and give that alone as its result.
                text = "".join([*self._whole, *self._pieces])
                return Answered(text, self._model, self._usage(), "max_tokens", may_go_on=False)
        return None

    def _assistant(self, message: _Message, error: str | None) -> None:
        self._error = error or self._error
        if message.model == _SYNTHETIC:
            return
        self._model = message.model or self._model
        blocks = [_Block("text", message.content)] if isinstance(message.content, str) else message.content
        texts = [block.text for block in blocks if block.type == "text"]
        if texts:
            self._whole.extend(texts)
            self._pieces.clear()  # they were this very text

    def _result(self, said: _Line) -> Meaning:
        self._counts = said.usage or self._counts
        words = one_line(said.result or said.terminal_reason or said.subtype or "no reason given")
        if said.stop_reason == "refusal":
            raise ContentRefused(
                f"{self._target} declined to answer: {words}", hint="Change the task or the role.", status=200
            )
        if said.subtype == "error_max_turns":
            raise self._unreadable("the wish to use a tool, and no answer")
        if said.is_error or (said.subtype or "success") != "success":
            raise self._failure(said.api_error_status, self._error, words)
        if said.num_turns == 0:
            raise self._unreadable(f"an answer of its own, without asking the model: {words}")
        if not self._whole:
            raise self._unreadable("a result without an answer of the model")
        if (said.num_turns or 1) > 1:
            raise self._unreadable(f"{said.num_turns} turns where one was asked for")
        return Answered("".join(self._whole), self._model, self._usage(), "end_turn")

    def _forget(self) -> None:
        self._whole.clear()
        self._pieces.clear()

    def _usage(self) -> Usage:
        counts = self._counts or _Counts()
        read, written = counts.cache_read_input_tokens or 0, counts.cache_creation_input_tokens or 0
        return Usage((counts.input_tokens or 0) + read + written, counts.output_tokens or 0, read, written)

    def _unreadable(self, what: str) -> ReplyUnreadable:
        return ReplyUnreadable(f"{self._target} gave {what}", hint="Update the program with: claude update")

    def _failure(self, status: int | None, word: str, sentence: str) -> LlmOrcError:
        return failure_of(self._target, status, word, sentence, self._limit)


def _excerpt(line: bytes) -> str:
    return one_line(line[:400].decode("utf-8", "replace"), 120)
