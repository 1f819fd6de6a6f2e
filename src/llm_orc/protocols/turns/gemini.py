"""Contents of Gemini."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import JsonObject, Rejected, objects, text, text_of, within
from llm_orc.protocols.turns.parts import call_of, file_of, offer, offers_are_unique
from llm_orc.providers.base import Message
from llm_orc.providers.parts import OwnBlocks, ToolAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.reply import ServedReply
    from llm_orc.providers.parts import ToolOffer

_UNSIGNED = re.compile(r"gemini-[12]\b|gemma")
_SIGNATURE = "c2FuZGJveA=="
_SIGNATURES = (_SIGNATURE, "skip_thought_signature_validator")


def tools_in(body: JsonObject) -> tuple[ToolOffer, ...]:
    """Return the client's tools."""
    found = [
        _offer(declaration)
        for tool in objects(body.get("tools"))
        for declaration in objects(tool.get("functionDeclarations") or tool.get("function_declarations"))
    ]
    return offers_are_unique(found)


def _offer(declaration: JsonObject) -> ToolOffer:
    """Read JSON Schema under both spellings; a schema in Google's own, older form is not looked at."""
    schema = declaration.get("parametersJsonSchema") or declaration.get("parameters_json_schema")
    return offer({**declaration, "schema": schema or {"type": "object"}}, "schema")


def messages_in(contents: JsonValue, model: str) -> tuple[Message, ...]:
    """Return the turns. Raises `Rejected` in the provider's words; models from version 3 want their signatures."""
    is_strict = _UNSIGNED.search(model) is None
    found: list[Message] = []
    for index, content in enumerate(objects(contents)):
        if not isinstance(content.get("parts"), list):
            raise Rejected(
                400, f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
            )
        if content.get("role") not in (None, "user", "model"):
            raise Rejected(400, "Please use a valid role: user, model.")
        parts = list(objects(content.get("parts")))
        found.append(_answer(parts, is_strict=is_strict) if content.get("role") == "model" else _said(parts))
    _check_results(found)
    return tuple(found)


def _answer(parts: list[JsonObject], *, is_strict: bool) -> Message:
    calling = [part for part in parts if isinstance(part.get("functionCall"), dict)]
    if is_strict and calling and calling[0].get("thoughtSignature") not in _SIGNATURES:
        raise Rejected(400, "Function call is missing a thought_signature in functionCall parts.")
    calls = tuple(
        call_of(
            within(part, "functionCall", "id"),
            within(part, "functionCall", "name"),
            within(part, "functionCall", "args"),
        )
        for part in calling
    )
    own = OwnBlocks("gemini", tuple(parts)) if calls else None
    return Message("assistant", text_of(list(parts)), calls=calls, own=own)


def _said(parts: list[JsonObject]) -> Message:
    results = tuple(
        _result(response) for part in parts if isinstance(response := part.get("functionResponse"), dict)
    )
    files = tuple(
        file_of("", within(part, "inlineData", "mimeType"), within(part, "inlineData", "data"))
        for part in parts
        if "inlineData" in part
    )
    return Message("user", text_of(list(parts)), results=results, attachments=files)


def _result(response: JsonObject) -> ToolAnswer:
    said, failed = within(response, "response", "output"), within(response, "response", "error")
    return ToolAnswer(
        text(response.get("id")), text(response.get("name")), text(failed or said), failed is not None
    )


def _check_results(messages: Sequence[Message]) -> None:
    pending: list[str] = []
    for message in messages:
        if sorted(pending) != sorted(result.name for result in message.results):
            break
        pending = [call.name for call in message.calls]
    else:
        if not pending:
            return
    raise Rejected(
        400,
        "Please ensure that the number of function response parts is equal to the number of function call "
        "parts of the function call turn.",
    )


def parts_of(reply: ServedReply) -> list[JsonValue]:
    """Return the calls of an answer; the first one is signed."""
    parts: list[JsonValue] = []
    for index, call in enumerate(reply.calls):
        part: JsonObject = {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments or {}}}
        parts.append(part if index else {**part, "thoughtSignature": _SIGNATURE})
    return parts
