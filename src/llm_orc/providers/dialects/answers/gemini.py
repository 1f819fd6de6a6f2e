"""The parts of an answer of Gemini that are more than text; a stream gives them one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from llm_orc.providers.dialects.calls import call_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.dialects.draft import Draft


class PartsApart:
    """The parts that are more than text, in their places between its pieces: all go back as they came."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[tuple[int, int, JsonValue]] = []  # the pieces from … to … are its text

    def take(self, draft: Draft, event: dict[str, JsonValue]) -> None:
        """Take the parts of one event, whose text has been taken already."""
        parts = list(filter(_is_object, _parts_in(event)))
        begins = max(0, len(draft.pieces) - sum(map(_has_text, parts)))
        for part in parts:
            ends = begins + _has_text(part)
            if part.keys() != {"text"}:
                self._add(begins, ends, part)
            begins = ends

    def _add(self, begins: int, ends: int, part: JsonValue) -> None:
        last = self._parts[-1] if self._parts else None
        if last is not None and last[1] == begins and _is_thought(last[2]) and _is_thought(part):
            part = {**last[2], "text": f"{last[2]['text']}{part['text']}"}
            self._parts.pop()
        self._parts.append((begins, ends, part))

    def gather(self, draft: Draft) -> None:
        """Put the whole turn and the calls in it into `draft`, if there are calls."""
        if not any(isinstance(part, dict) and "functionCall" in part for _, _, part in self._parts):
            return
        done = 0
        for begins, ends, part in [*self._parts, (len(draft.pieces), len(draft.pieces), None)]:
            if text := "".join(draft.pieces[done:begins]):
                draft.blocks.append({"text": text})
            done = ends
            if part is not None:
                draft.blocks.append(part)
            call = part.get("functionCall") if isinstance(part, dict) else None
            if isinstance(call, dict):
                draft.calls.append(call_of(call.get("id"), call.get("name"), call.get("args")))


def _is_thought(part: JsonValue) -> TypeGuard[dict[str, JsonValue]]:
    """Whether it is a thought in words and without a signature, of which a stream has many."""
    return isinstance(part, dict) and part.keys() == {"text", "thought"} and isinstance(part["text"], str)


def _has_text(part: dict[str, JsonValue]) -> bool:
    """Whether it is a part of the answer's text."""
    return isinstance(part.get("text"), str) and bool(part["text"]) and not part.get("thought")


def _is_object(value: JsonValue) -> TypeGuard[dict[str, JsonValue]]:
    return isinstance(value, dict)


def _parts_in(event: dict[str, JsonValue]) -> list[JsonValue]:
    candidates = event.get("candidates")
    candidate = candidates[0] if isinstance(candidates, list) and candidates else None
    content = candidate.get("content") if isinstance(candidate, dict) else None
    parts = content.get("parts") if isinstance(content, dict) else None
    return parts if isinstance(parts, list) else []
