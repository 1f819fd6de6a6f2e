"""What the protocols share in reading turns: files, tools, and whether each call has its result."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import JsonObject, Rejected
from llm_orc.providers.parts import Attachment, ToolCall, ToolOffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA_URL = re.compile(r"data:(?P<type>[^;,]+);base64,(?P<data>.*)", re.DOTALL)


def file_of(name: JsonValue, media_type: JsonValue, data: JsonValue) -> Attachment:
    """Return a file of a request. Raises `Rejected` if its content is no base64."""
    try:
        content = b64decode(data if isinstance(data, str) else "?", validate=True)
    except ValueError as error:
        raise Rejected(400, "The file is not valid base64.") from error
    return Attachment(str(name or ""), str(media_type or ""), content)


def file_in_url(name: JsonValue, url: JsonValue) -> Attachment:
    """Return a file that is a data URL. Raises `Rejected` for any other address: nothing is fetched."""
    found = _DATA_URL.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        raise Rejected(400, "The sandbox fetches nothing: give the file as a base64 data URL.")
    return file_of(name, found["type"], found["data"])


def offer(tool: JsonObject, schema_field: str) -> ToolOffer:
    """Return an offered tool. Raises `Rejected` for a name or schema that no provider takes."""
    name, schema, description = tool.get("name"), tool.get(schema_field), tool.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Rejected(400, f"Invalid tool name {json.dumps(name)}: it must match '^[a-zA-Z0-9_-]{{1,64}}$'.")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Rejected(400, f"Invalid schema for function '{name}': schema must be of type 'object'.")
    return ToolOffer(name, description if isinstance(description, str) else "", schema)


def offers_are_unique(offers: Sequence[ToolOffer]) -> tuple[ToolOffer, ...]:
    """Return the tools. Raises `Rejected` if two have one name."""
    names = [tool.name for tool in offers]
    if len({*names}) < len(names):
        raise Rejected(400, "tools: Tool names must be unique.")
    return tuple(offers)


def call_of(call_id: JsonValue, name: JsonValue, arguments: JsonValue) -> ToolCall:
    """Return a call of an earlier turn. Raises `Rejected` unless its arguments are an object, perhaps as text."""
    value = arguments
    if isinstance(arguments, str):
        try:
            value = json.loads(arguments)
        except ValueError as error:
            raise Rejected(400, f"The arguments of the call of '{name}' are not valid JSON.") from error
    if not isinstance(value, dict):
        raise Rejected(400, f"The arguments of the call of '{name}' are not an object.")
    return ToolCall(str(call_id or ""), str(name or ""), value)


def unanswered(messages: Sequence[Message]) -> tuple[str, ...]:
    """Return the ids of calls without a result in the turn behind them, and of results without a call before."""
    wrong: list[str] = []
    pending: list[str] = []
    for message in messages:
        answered = [result.id for result in message.results]
        wrong += sorted({*pending} ^ {*answered})
        pending = [call.id for call in message.calls]
    return (*wrong, *pending)
