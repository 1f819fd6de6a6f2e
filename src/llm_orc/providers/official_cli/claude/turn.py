"""One turn of `claude` in stream-json: what each line means.

Deltas are provisional, `subtype` is "success" also for failures, and exit code 0 can mean failure:
`is_error` of the last line counts, and the text is that of the whole assistant messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, ContentRefused, MeteredNotAllowed, ReplyCut, ReplyUnreadable
from llm_orc.net.text import one_line
from llm_orc.providers.base import StopReason, Usage
from llm_orc.providers.dialects.endings import ANTHROPIC, meaning_of, plain_word
from llm_orc.providers.official_cli.claude.failures import PlanLimit, failure_of
from llm_orc.providers.official_cli.lines import is_true, list_in, number_in, object_in, text_in
from llm_orc.providers.official_cli.program import (
    Answered,
    Answering,
    Piece,
    Started,
    TriesAgain,
    TurnReader,
    Working,
    tool_used,
)
from llm_orc.providers.usage import added_in, believed, count_in, counted, merged, sum_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.program import Meaning

_SYNTHETIC = "<synthetic>"
_PLAIN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking"})
_STOPS: Mapping[str, StopReason] = {
    "end_turn": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
}
_LONGEST_WAIT_MS = 600_000.0
_FIRST_MILLISECONDS = 1e11  # some releases tell a reset time in milliseconds: as seconds this is the year 5138
_OF_MODEL = "seven_day_"  # `seven_day_opus` is the limit of a model, `seven_day` and `five_hour` are the plan's


class ClaudeTurn(TurnReader):
    def __init__(self, target: Target) -> None:
        self._target = target
        self._has_spoken = False
        self._model = ""
        self._whole: list[str] = []  # of finished messages
        self._pieces: list[str] = []  # of the message in progress
        self._error = ""  # Claude Code's word for the failure
        self._resets_at: float | None = None
        self._is_models_limit = False
        self._usage = Usage()
        self._stop = ""  # why the message ended, the API's word

    def read(self, said: Fields) -> Meaning:
        self._has_spoken = True
        match text_in(said, "type"):
            case "system":
                return self._system(said)
            case "stream_event":
                return self._event(object_in(said, "event"))
            case "assistant":
                return self._assistant(object_in(said, "message"), text_in(said, "error"))
            case "user":
                self._refuse_tools(object_in(said, "message"))
            case "rate_limit_event":
                self._limited(object_in(said, "rate_limit_info"))
            case "result":
                return self._result(said)
            case "control_request":
                raise tool_used(self._target, text_in(said, "request", "tool_name") or "it asks for permission")
            case kind if "tool" in kind:
                raise tool_used(self._target, text_in(said, "tool_name") or kind)
            case _:
                pass
        return None

    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        words = f": {complaint}" if complaint else ""
        if not self._has_spoken and exit_code > 0 and complaint:  # it says why it did not start
            return AccessNotSupported(
                f"`claude` can't be used (exit code {exit_code}){words}",
                hint="Try it by hand with `claude -p hello`, or update it with `claude update`.",
            )
        return ReplyCut(
            f"`claude` ended (exit code {exit_code}) before the answer did{words}",
            hint="Run it again. If it happens every time, try `claude -p hello`.",
        )

    def _system(self, said: Fields) -> Meaning:
        subtype = text_in(said, "subtype")
        if subtype == "api_retry":
            self._forget()
            word = text_in(said, "error")
            error = self._failure(_status(said, "error_status"), word, word or "the call failed")
            delay_ms = min(max(number_in(said, "retry_delay_ms") or 0.0, 0.0), _LONGEST_WAIT_MS)
            return TriesAgain(error, delay_ms / 1000)
        return self._begun(said) if subtype == "init" else None

    def _limited(self, info: Fields) -> None:
        resets_at = number_in(info, "resetsAt")
        if resets_at is not None and resets_at > _FIRST_MILLISECONDS:
            resets_at /= 1000
        self._resets_at = resets_at
        self._is_models_limit = text_in(info, "rateLimitType").startswith(_OF_MODEL)
        if is_true(info, "isUsingOverage"):
            raise MeteredNotAllowed(
                f"{self._target}: the plan is used up and your account's extra usage would pay, so it was stopped",
                hint="Wait until the plan resets, or turn extra usage off at claude.ai under Settings, Usage.",
            )

    def _begun(self, said: Fields) -> Started:
        key_source = said.get("apiKeySource")
        if key_source is not None and key_source != "none":
            raise MeteredNotAllowed(
                f"`claude` would use the API key of {one_line(str(key_source))} and bill per token,"
                " not your plan, so it was stopped",
                hint="Remove the key from the settings of Claude Code, or check with `claude auth status`.",
            )
        given = [str(name) for name in (*list_in(said, "tools"), *list_in(said, "mcp_servers"))]
        if given:
            raise AccessNotSupported(
                f"this `claude` offers the model tools ({one_line(', '.join(given))}) although it was told not to",
                hint="Update it with `claude update`.",
            )
        return Started()

    def _event(self, event: Fields) -> Meaning:
        match text_in(event, "type"):
            case "message_start":
                self._forget()
                self._model = text_in(event, "message", "model") or self._model
                return Answering()
            case "content_block_start":
                self._refuse_tool(object_in(event, "content_block"))
            case "content_block_delta" if text_in(event, "delta", "type") == "text_delta":
                piece = text_in(event, "delta", "text")
                self._pieces.append(piece)
                return Piece(piece)
            case "message_delta":
                self._count(object_in(event, "usage"))
                self._stop = text_in(event, "delta", "stop_reason") or self._stop
                if meaning_of(self._stop, ANTHROPIC) == "max_tokens":
                    # It would now request the rest by itself, and return only that as its result.
                    text = "".join([*self._whole, *self._pieces])
                    return Answered(text, self._model, believed(self._usage), "max_tokens", may_go_on=False)
            case _:
                pass
        return Working()

    def _assistant(self, message: Fields, error: str) -> Meaning:
        self._error = error or self._error
        if text_in(message, "model") == _SYNTHETIC:
            return None
        self._refuse_tools(message)
        self._model = text_in(message, "model") or self._model
        texts = [text_in(block, "text") for block in _blocks(message) if text_in(block, "type") == "text"]
        if texts:
            self._whole.extend(texts)
            self._pieces.clear()  # they were this text
        return Working()

    def _result(self, said: Fields) -> Meaning:
        self._count(object_in(said, "usage"))
        subtype, turns = text_in(said, "subtype") or "success", number_in(said, "num_turns")
        words = one_line(text_in(said, "result") or text_in(said, "terminal_reason") or subtype)
        if text_in(said, "stop_reason") == "refusal":
            raise ContentRefused(
                f"{self._target} declined to answer: {words}", hint="Change the task or the role.", status=200
            )
        if subtype == "error_max_turns" or list_in(said, "permission_denials"):
            raise tool_used(self._target, "it needed another turn for it")
        if is_true(said, "is_error") or subtype != "success":
            raise self._failure(_status(said, "api_error_status"), self._error, words)
        if turns == 0:
            raise self._unreadable(f"an answer of its own, without calling the model: {words}")
        if not self._whole:
            raise self._unreadable("a result without an answer from the model")
        if turns is not None and turns > 1:
            raise self._unreadable(f"{turns:g} turns although one was requested")
        return self._answered(text_in(said, "stop_reason") or self._stop)

    def _answered(self, word: str) -> Answered:
        """Return the answer. `word` is the API's stop reason."""
        meaning = meaning_of(word, ANTHROPIC)
        text, usage = "".join(self._whole), believed(self._usage)
        if meaning == "tool":
            raise tool_used(self._target, word)
        stop = _STOPS.get(meaning, "other")
        return Answered(text, self._model, usage, stop, plain_word(word) if stop == "other" else "")

    def _refuse_tools(self, message: Fields) -> None:
        for block in _blocks(message):
            self._refuse_tool(block)

    def _refuse_tool(self, block: Fields) -> None:
        """Refuse tool use; an unknown kind of block may be a tool too."""
        kind = text_in(block, "type")
        if kind not in _PLAIN_BLOCKS:
            raise tool_used(self._target, text_in(block, "name") or kind)

    def _count(self, counts: Fields) -> None:
        read, written = (
            added_in(counts, "cache_read_input_tokens"),
            added_in(counts, "cache_creation_input_tokens"),
        )
        whole_input = sum_of(count_in(counts, "input_tokens"), read, written)
        output = count_in(counts, "output_tokens")
        self._usage = merged(self._usage, counted(whole_input, output, cache_read=read, cache_write=written))

    def _forget(self) -> None:
        self._usage, self._stop = Usage(), ""
        self._whole.clear()
        self._pieces.clear()

    def _unreadable(self, what: str) -> ReplyUnreadable:
        return ReplyUnreadable(f"{self._target} returned {what}", hint="Update the program with `claude update`.")

    def _failure(self, status: int, word: str, sentence: str) -> LlmOrcError:
        limit = PlanLimit(self._resets_at, is_of_model=self._is_models_limit)
        return failure_of(self._target, status, word, sentence, limit)


def _blocks(message: Fields) -> list[Fields]:
    """Return the blocks of a message; plain text is one block."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block if isinstance(block, dict) else {} for block in list_in(message, "content")]


def _status(said: Fields, name: str) -> int:
    number = number_in(said, name)
    return int(number) if number is not None and 0 <= number < 1000 else 0
