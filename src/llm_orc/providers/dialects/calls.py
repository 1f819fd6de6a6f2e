"""Calls of tools in any dialect: what a model wrote, the ids of calls, and turns that only their author reads."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from llm_orc.net.text import whole_text
from llm_orc.providers.parts import OwnBlocks, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message, ModelRequest, Reply, Target

_INVALID = "INVALID_JSON"
"""The key under which a model gets back what it wrote instead of an object, as Anthropic's reference suggests."""
_ANYWHERE = re.compile(r"[a-zA-Z0-9]{9}")  # what Mistral demands of an id, and every other provider takes


def call_of(call_id: JsonValue, name: JsonValue, arguments: JsonValue) -> ToolCall:
    """Return a call as a model wrote it; `arguments` are an object, or JSON text of one. No arguments are `{}`."""
    value = arguments
    if isinstance(arguments, str):
        value = _read(arguments) if arguments.strip() else {}
    tidy = _tidy({} if value is None and not isinstance(arguments, str) else value)
    is_object = isinstance(tidy, dict)
    return ToolCall(
        id=whole_text(call_id) if isinstance(call_id, str) else "",
        name=whole_text(name) if isinstance(name, str) else "",
        arguments=tidy if isinstance(tidy, dict) else None,
        written="" if is_object else whole_text(arguments if isinstance(arguments, str) else _written(tidy)),
    )


def _read(text: str) -> JsonValue:
    try:
        value: JsonValue = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    return value


def _written(value: JsonValue) -> str:
    return msgspec.json.encode(value).decode()


def _tidy(value: JsonValue) -> JsonValue:
    """Return the value without halves of UTF-16 pairs, which can't be stored or sent; None if it is too deep."""
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return _whole(value)
    except RecursionError:
        return None
    return value


def _whole(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {whole_text(key): _whole(item) for key, item in value.items()}
    return value


def arguments_of(call: ToolCall) -> dict[str, JsonValue]:
    """Return the arguments of a call as they go back to a model."""
    return {_INVALID: call.written} if call.arguments is None else call.arguments


def written_arguments(call: ToolCall) -> str:
    """Return the same as JSON text."""
    return _written(arguments_of(call))


def own_of(target: Target, dialect: DialectName, blocks: Sequence[JsonValue]) -> OwnBlocks:
    """Return a turn with calls as its provider wrote it, without what can't be stored."""
    kept = (block for block in map(_tidy, blocks) if block is not None)
    return OwnBlocks(dialect, tuple(kept), target.provider, target.model)


def with_ids(reply: Reply, request: ModelRequest) -> Reply:
    """Return the reply with an id for each call that no other call of the conversation has.

    Some servers give none, or the same ones in each turn. The same conversation gets the same ids.
    """
    if not reply.calls:
        return reply
    taken = {call.id for message in request.messages for call in message.calls} | {""}
    calls = []
    for number, call in enumerate(reply.calls):
        if call.id in taken:
            call = replace(call, id=_short(f"{len(request.messages)}.{number}"))  # noqa: PLW2901
        taken.add(call.id)
        calls.append(call)
    return replace(reply, calls=tuple(calls))


def fitted(messages: Sequence[Message], dialect: DialectName, target: Target) -> Sequence[Message]:
    """Return the turns for this model: `own` where it is its own, elsewhere ids that any provider takes."""
    if not any(message.calls for message in messages):
        return messages
    ids: dict[str, str] = {}
    fit = []
    for message in messages:
        if message.calls:
            is_own = _is_own(message.own, dialect, target)
            ids = {} if is_own else {call.id: _any_id(call.id) for call in message.calls}
            calls = tuple(replace(call, id=ids.get(call.id, call.id)) for call in message.calls)
            fit.append(replace(message, calls=calls, own=message.own if is_own else None))
        elif message.results:
            results = tuple(replace(result, id=ids.get(result.id, result.id)) for result in message.results)
            fit.append(replace(message, results=results))
        else:
            fit.append(message)
    return fit


def _is_own(own: OwnBlocks | None, dialect: DialectName, target: Target) -> bool:
    """A signature of one model is of no use to another."""
    if own is None or own.dialect != dialect:
        return False
    return own.provider in {"", target.provider} and own.model in {"", target.model}


def _any_id(call_id: str) -> str:
    return call_id if _ANYWHERE.fullmatch(call_id) else _short(call_id)


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:9]


def result_text(text: str, *, is_error: bool) -> str:
    """Return what a tool returned, for a protocol that can't mark it as an error."""
    return f"Error: {text}" if is_error and text[:5].lower() != "error" else text
