"""A reply under construction, and what makes it whole: text or calls of tools, and an end that says so."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, NoReturn

from llm_orc.catalog.rows import DialectName
from llm_orc.dataclass import dataclass
from llm_orc.errors import ContentRefused, ReplyCut, ReplyUnreadable
from llm_orc.jsontypes import JsonValue
from llm_orc.net.text import is_blank, one_line, whole_text
from llm_orc.providers.base import Reply, StopReason, Target, Usage
from llm_orc.providers.dialects.calls import own_of
from llm_orc.providers.dialects.endings import COMPLETE, Meaning, Words, meaning_of, plain_word
from llm_orc.providers.parts import ToolCall
from llm_orc.providers.usage import believed, merged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.net.transport import Answer


@dataclass(slots=True)
class Draft:
    """A reply under construction: whole replies and streams of every dialect are reduced to it.

    `blocks` are the turn as its provider wrote it; they matter if it has calls.
    """

    target: Target
    dialect: DialectName
    pieces: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    blocks: list[JsonValue] = field(default_factory=list)
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    request_id: str = ""
    stop: str = ""  # the provider's own stop reason
    meaning: Meaning = "other"
    refusal: str | None = None  # set: the model or a filter declined; its text, if any
    is_complete: bool = False  # the answer is complete
    is_over: bool = False  # and nothing that we need follows
    _counted_at: int = 0  # the number of pieces at the last count

    def count(self, usage: Usage) -> None:
        """Take the provider's token counts so far."""
        self.usage = merged(self.usage, usage)
        if usage.output_tokens is not None:
            self._counted_at = len(self.pieces)

    def _final_usage(self) -> Usage:
        """Return the usage; a count from before the end of the answer doesn't count."""
        if self._counted_at < len(self.pieces):
            return believed(replace(self.usage, output_tokens=None))
        return believed(self.usage)

    def ended(self, word: str | None, words: Words) -> None:
        """Take the provider's stop reason, a `word` of its dialect's `words`."""
        if not word:
            return
        self.is_complete = True
        self.stop, self.meaning = word, meaning_of(word, words)
        if self.meaning == "refusal" and self.refusal is None:
            self.refusal = ""

    def reply(self, answer: Answer) -> Reply:
        """Finish. Raises `ReplyCut`, `ContentRefused`, or `ReplyUnreadable` without text and calls."""
        if self.refusal is not None:
            raise_refused(self.target, self.refusal or self.stop, answer.status)
        if not self.is_complete:
            why = f": {answer.broken}" if answer.broken else ""
            raise ReplyCut(
                f"the answer of {self.target} broke off before its end{why}",
                hint="Run it again; if it happens often, look for a proxy or gateway with a time limit.",
                status=answer.status,
            )
        self._refuse_what_is_not_whole(answer.status)
        text = whole_text("".join(self.pieces))
        if is_blank(text):
            if not self.calls:
                raise _empty(self, answer.status)
            text = ""
        stop_reason = _stop_reason(self.meaning)
        return Reply(
            text=text,
            model=self.model or self.target.model,
            usage=self._final_usage(),
            stop_reason=stop_reason,
            stop_word=plain_word(self.stop) if stop_reason == "other" else "",
            request_id=answer.headers.get("request-id") or answer.headers.get("x-request-id") or self.request_id,
            calls=tuple(self.calls),
            own=own_of(self.target, self.dialect, self.blocks) if self.calls else None,
        )

    def _refuse_what_is_not_whole(self, status: int) -> None:
        if self.calls:
            if self.meaning == "max_tokens":
                raise _broke_off(self, status, _HINT_CUT_CALL)
            if self.meaning in {"tool", "other"} or self.meaning in COMPLETE:
                return
        if self.meaning in {"cut", "tool"}:
            raise _broke_off(self, status)
        if self.target.calls.only_completed and self.meaning not in COMPLETE:
            raise _broke_off(self, status)


def _stop_reason(meaning: Meaning) -> StopReason:
    if meaning == "tool":
        return "tool_use"
    return "other" if meaning == "refusal" or meaning == "cut" else meaning  # noqa: PLR1714 - mypy narrows so


def _empty(draft: Draft, status: int) -> ReplyUnreadable:
    hint = "Ask again, or reword the prompt."
    if draft.meaning == "max_tokens":
        hint = "Raise `max_tokens`: reasoning used all of them."
    because = f" (it stopped because of `{one_line(draft.stop, 40)}`)" if draft.stop else ""
    return ReplyUnreadable(
        f"{draft.target} returned an answer without any text{because}", hint=hint, status=status
    )


def _broke_off(draft: Draft, status: int, hint: str = "") -> ReplyCut:
    ended = f"it ended with `{plain_word(draft.stop)}`" if draft.stop else "it ended without a reason"
    error = ReplyCut(
        f"the answer of {draft.target} broke off: {ended}",
        hint=hint
        or _AFTER_CUT.get(draft.meaning)
        or "Run it again; if it happens often, use another model (`fallback_model_profile`).",
        status=status,
    )
    error.would_again = draft.meaning in _AFTER_CUT
    return error


# The same request would end so again.
_AFTER_CUT: Mapping[Meaning, str] = {
    "tool": "Remove tools from `options`: an agent runs only those that its `tools` name.",
    "max_tokens": "Ask for less at once, or use another model (`fallback_model_profile`).",
}
_HINT_CUT_CALL = "Raise `max_tokens`: the answer ended in the middle of a call of a tool, so none was made."


def without_offer(reply: Reply, target: Target) -> Reply:
    """Return a reply to a request without tools. Raises `ReplyCut` if the model wants the results of calls."""
    if reply.calls and (reply.stop_reason == "tool_use" or not reply.text):
        error = ReplyCut(
            f"the answer of {target} broke off: it calls a tool, and none was offered", hint=_AFTER_CUT["tool"]
        )
        error.would_again = True
        raise error
    return replace(reply, calls=(), own=None) if reply.calls else reply


def raise_refused(target: Target, why: str, status: int) -> NoReturn:
    """Raise `ContentRefused`; `why` is the provider's text or code."""
    said = one_line(why)
    raise ContentRefused(
        f"{target} declined to answer" + (f": {said}" if said else "."),
        hint="Reword the prompt, or use another model (`fallback_model_profile`).",
        status=status,
        provider_message=said,
    )
