"""Responses as a server writes them (https://platform.openai.com/docs/api-reference/responses-streaming).

Each event of a stream has a number of its own, and there is no `[DONE]`.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from llm_orc.protocols.openai_responses import OpenAiResponsesDialect
from llm_orc.server.wire import event

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.server.openai.errors import Failure
    from llm_orc.server.openai.outcome import Outcome, Tokens


class ResponsesAnswer:
    """One answer of Responses. `created_at` is in Unix seconds."""

    dialect = OpenAiResponsesDialect()

    def __init__(self, run_id: str, model: str, created_at: float, *, counts_usage: bool) -> None:
        del counts_usage  # it is always counted
        self._run_id, self._model, self._created = run_id, model, int(created_at)
        self._numbers = count()
        self._reasoning: list[str] = []
        self._text: list[str] = []

    def whole(self, outcome: Outcome, reasoning: str) -> JsonValue:
        """Return the whole answer as one document."""
        output: list[JsonValue] = [self._reasoning_item(reasoning)] if reasoning else []
        output.append(self._message(_status(outcome), outcome.text))
        return self._response(_status(outcome), output, outcome)

    def opening(self) -> bytes:
        """Return what a stream begins with."""
        response = self._response("in_progress", [])
        return self._event("response.created", {"response": response}) + self._event(
            "response.in_progress", {"response": response}
        )

    def reasoning(self, piece: str) -> bytes:
        """Return a piece of the reasoning; it ends where the text begins."""
        if self._text:
            return b""
        place: dict[str, JsonValue] = {"item_id": f"rs_{self._run_id}", "output_index": 0, "summary_index": 0}
        begin = b""
        if not self._reasoning:
            item = self._reasoning_item("")
            begin = self._event("response.output_item.added", {"output_index": 0, "item": item}) + self._event(
                "response.reasoning_summary_part.added", {**place, "part": {"type": "summary_text", "text": ""}}
            )
        self._reasoning.append(piece)
        return begin + self._event("response.reasoning_summary_text.delta", {**place, "delta": piece})

    def text(self, piece: str) -> bytes:
        begin = b"" if self._text else self._reasoning_ended() + self._message_begun()
        self._text.append(piece)
        return begin + self._event("response.output_text.delta", {**self._place(), "delta": piece, "logprobs": []})

    def closing(self, outcome: Outcome) -> bytes:
        """Return what a stream ends with."""
        begin = b"" if self._text else self._reasoning_ended() + self._message_begun()
        part: JsonValue = {"type": "output_text", "text": outcome.text, "annotations": [], "logprobs": []}
        item = self._message(_status(outcome), outcome.text)
        output: list[JsonValue] = [self._reasoning_item("".join(self._reasoning))] if self._reasoning else []
        response = self._response(_status(outcome), [*output, item], outcome)
        done = self._event(
            "response.output_text.done", {**self._place(), "text": outcome.text, "logprobs": []}
        ) + self._event("response.content_part.done", {**self._place(), "part": part})
        done += self._event("response.output_item.done", {"output_index": self._index, "item": item})
        return begin + done + self._event(f"response.{_status(outcome)}", {"response": response})

    def failed(self, failure: Failure) -> bytes:
        """Return the end of a stream whose run has failed."""
        error: JsonValue = {"code": failure.code or "server_error", "message": failure.message}
        return self._event("response.failed", {"response": {**self._response("failed", []), "error": error}})

    def _event(self, kind: str, rest: dict[str, JsonValue]) -> bytes:
        return event({"type": kind, "sequence_number": next(self._numbers), **rest}, kind)

    @property
    def _index(self) -> int:
        """The place of the message in the output: behind the reasoning, if there is some."""
        return 1 if self._reasoning else 0

    def _place(self) -> dict[str, JsonValue]:
        return {"item_id": f"msg_{self._run_id}", "output_index": self._index, "content_index": 0}

    def _reasoning_ended(self) -> bytes:
        if not self._reasoning:
            return b""
        text = "".join(self._reasoning)
        place: dict[str, JsonValue] = {"item_id": f"rs_{self._run_id}", "output_index": 0, "summary_index": 0}
        part: JsonValue = {"type": "summary_text", "text": text}
        return (
            self._event("response.reasoning_summary_text.done", {**place, "text": text})
            + self._event("response.reasoning_summary_part.done", {**place, "part": part})
            + self._event("response.output_item.done", {"output_index": 0, "item": self._reasoning_item(text)})
        )

    def _message_begun(self) -> bytes:
        item: JsonValue = {**self._message("in_progress", ""), "content": []}
        part: JsonValue = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return self._event(
            "response.output_item.added", {"output_index": self._index, "item": item}
        ) + self._event("response.content_part.added", {**self._place(), "part": part})

    def _reasoning_item(self, text: str) -> dict[str, JsonValue]:
        summary: list[JsonValue] = [{"type": "summary_text", "text": text}] if text else []
        return {"id": f"rs_{self._run_id}", "type": "reasoning", "summary": summary}

    def _message(self, status: str, text: str) -> dict[str, JsonValue]:
        content: list[JsonValue] = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
        head: dict[str, JsonValue] = {"id": f"msg_{self._run_id}", "type": "message", "role": "assistant"}
        return {**head, "status": status, "content": content}

    def _response(
        self, status: str, output: list[JsonValue], outcome: Outcome | None = None
    ) -> dict[str, JsonValue]:
        return {
            "id": f"resp_{self._run_id}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "model": self._model,
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": None,
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "usage": None if outcome is None else _usage(outcome.tokens),
        }


def _status(outcome: Outcome) -> str:
    return "incomplete" if outcome.finish == "length" else "completed"


def _usage(tokens: Tokens | None) -> JsonValue:
    if tokens is None:
        return None
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens.input + tokens.output,
    }
