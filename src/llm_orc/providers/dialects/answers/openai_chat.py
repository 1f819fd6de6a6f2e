"""What a turn of Chat Completions has beside its text: calls, which a stream gives in fragments, and reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.jsontypes import JsonValue
from llm_orc.providers.dialects.calls import call_of

if TYPE_CHECKING:
    from llm_orc.providers.dialects.draft import Draft


class ChatFunction(msgspec.Struct, gc=False):
    """`arguments` are JSON text; some servers give the object itself."""

    name: str | None = None
    arguments: str | dict[str, JsonValue] | None = None


class ChatCall(msgspec.Struct, gc=False):
    """A call, or a fragment of one. `extra_content` has Google's signature of it."""

    index: int | None = None
    id: str | None = None
    function: ChatFunction | None = None
    extra_content: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct, gc=False):
    tool_calls: list[ChatCall] | None = None
    reasoning_content: str | None = None  # DeepSeek and others
    reasoning: str | None = None  # OpenRouter, vLLM and others
    reasoning_details: msgspec.Raw = msgspec.Raw()  # OpenRouter


class _Choice(msgspec.Struct, gc=False):
    message: _Message | None = None
    delta: _Message | None = None


class _Completion(msgspec.Struct, gc=False):
    """A whole reply, or one chunk of a stream, without its text."""

    choices: list[_Choice] | None = None


READ_TURN = msgspec.json.Decoder(_Completion, strict=False)


class _Growing:
    """A call so far."""

    __slots__ = ("arguments", "extra", "id", "index", "name", "pieces")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = self.name = ""
        self.pieces: list[str] = []
        self.arguments: dict[str, JsonValue] | None = None
        self.extra: JsonValue = None

    def take(self, delta: ChatCall) -> None:
        self.id = self.id or delta.id or ""
        if (extra := _plain(delta.extra_content)) is not None:
            self.extra = extra
        function = delta.function or ChatFunction()
        if function.name and not self.pieces and function.name != self.name:
            self.name += function.name
        if isinstance(function.arguments, str):
            self.pieces.append(function.arguments)
        elif function.arguments is not None:
            self.arguments = function.arguments

    def ends_before(self, delta: ChatCall) -> bool:
        """Whether `delta`, for the same place, begins another call: some servers give all of them one index."""
        if delta.function is None or not delta.function.name:
            return False
        if delta.id and self.id:
            return delta.id != self.id
        return self.arguments is not None or call_of("", "", "".join(self.pieces) or "…").arguments is not None


class ChatTurn:
    """Collects the calls and the reasoning of one turn."""

    __slots__ = ("_calls", "_details", "_reasoning")

    def __init__(self) -> None:
        self._calls: list[_Growing] = []
        self._reasoning: dict[str, list[str]] = {}
        self._details: list[JsonValue] = []

    def take(self, completion: _Completion) -> None:
        """Take a whole reply or a chunk."""
        choice = completion.choices[0] if completion.choices else _Choice()
        message = choice.delta or choice.message or _Message()
        for call in message.tool_calls or []:
            self._take_call(call, is_whole=choice.delta is None)
        if message.reasoning_content:
            self._reasoning.setdefault("reasoning_content", []).append(message.reasoning_content)
        if message.reasoning:
            self._reasoning.setdefault("reasoning", []).append(message.reasoning)
        details = _plain(message.reasoning_details)
        for detail in details if isinstance(details, list) else []:
            self._take_detail(detail)

    def _take_call(self, call: ChatCall, *, is_whole: bool) -> None:
        """The index says which call a fragment goes on with."""
        same = (one for one in reversed(self._calls) if call.index is None or one.index == call.index)
        growing = None if is_whole else next(same, None)
        if growing is None or growing.ends_before(call):
            growing = _Growing(call.index)
            self._calls.append(growing)
        growing.take(call)

    def _take_detail(self, detail: JsonValue) -> None:
        """Fragments of one have the same index and type."""
        last = self._details[-1] if self._details else None
        if isinstance(detail, dict) and isinstance(last, dict) and _is_same(last, detail):
            self._details[-1] = _joined(last, detail)
        else:
            self._details.append(detail)

    def gather(self, draft: Draft) -> None:
        """Put the calls into `draft`, and what goes back beside them."""
        draft.calls = [call_of(c.id, c.name, c.arguments or "".join(c.pieces)) for c in self._calls]
        own: dict[str, JsonValue] = {name: "".join(pieces) for name, pieces in self._reasoning.items()}
        if self._details:
            own.pop("reasoning", None)  # the same once more
            own["reasoning_details"] = self._details
        if any(call.extra is not None for call in self._calls):
            own["tool_calls"] = [
                {} if call.extra is None else {"extra_content": call.extra} for call in self._calls
            ]
        draft.blocks = [own] if own else []


def _plain(raw: msgspec.Raw) -> JsonValue:
    if not bytes(raw):
        return None
    try:
        value: JsonValue = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    return value


def _is_same(last: dict[str, JsonValue], detail: dict[str, JsonValue]) -> bool:
    return "index" in detail and (last.get("index"), last.get("type")) == (detail["index"], detail.get("type"))


def _joined(last: dict[str, JsonValue], detail: dict[str, JsonValue]) -> JsonValue:
    joined = dict(last)
    for name, value in detail.items():
        before = joined.get(name)
        if name in {"text", "summary", "data"} and isinstance(before, str) and isinstance(value, str):
            joined[name] = before + value
        elif value is not None:
            joined[name] = value
    return joined
