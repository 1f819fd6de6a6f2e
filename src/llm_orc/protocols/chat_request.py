"""A chat request, independent of its dialect, and the refusal of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import Message
from llm_orc.providers.parts import ToolOffer

if TYPE_CHECKING:
    from collections.abc import Iterator

JsonObject = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ArrivedRequest:
    """A request with a JSON object as its body. `path_model` and `path_verb` are set if the path has them."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: JsonObject
    path_model: str = ""
    path_verb: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A valid request, read."""

    model: str
    messages: tuple[Message, ...]
    system_prompt: str | None = None
    stream: bool = False
    max_tokens: int | None = None
    wants_json: bool = False
    schema: JsonObject | None = None  # what the answer has to satisfy
    wants_usage: bool = True  # OpenAI's chat streams report usage only on request
    cached_parts: tuple[str, ...] = ()  # system prompt and turns that the provider would cache
    tools: tuple[ToolOffer, ...] = ()
    wants_thoughts: bool = False  # to see them, or to send them back

    @property
    def prompt(self) -> str:
        """The text of the last message that is more than results of calls."""
        said = (message.content for message in reversed(self.messages) if message.content or not message.results)
        return next(said, "")

    @property
    def rounds(self) -> int:
        """How many turns with calls of tools there have been."""
        return sum(1 for message in self.messages if message.calls)

    @property
    def input_text(self) -> str:
        """Everything a model would read, for counting and searching."""
        tools = [f"{tool.name} {tool.description}\n{json.dumps(tool.parameters)}" for tool in self.tools]
        return "\n".join((*tools, self.system_prompt or "", *map(text_of_message, self.messages)))


class Rejected(Exception):
    """The request is refused. Every dialect has its own format for this.

    `param` and `error_code` are OpenAI's; `body` replaces the dialect's own error document. `keeps_limit_headers`
    False leaves the dialect's own headers out.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        error_code: str | None = None,
        retry_after_s: float | None = None,
        body: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        keeps_limit_headers: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.error_code = error_code
        self.retry_after_s = retry_after_s
        self.body = body
        self.headers = headers
        self.keeps_limit_headers = keeps_limit_headers


def text_of_message(message: Message) -> str:
    """Return what a model reads of a turn: results of calls, text and calls."""
    results = [result.text for result in message.results]
    calls = [f"{call.name} {msgspec.json.encode(call.arguments).decode()}" for call in message.calls]
    return "\n".join([*results, *([message.content] if message.content else []), *calls])


def objects(value: JsonValue) -> Iterator[JsonObject]:
    """Return the objects of a JSON array; nothing for anything else."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def text_of(content: JsonValue) -> str:
    """Return the text of a message's content: a string, or a list of parts of which some have a `text`."""
    if isinstance(content, str):
        return content
    return "\n".join(found for part in objects(content) if isinstance(found := part.get("text"), str))


def text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def whole_number(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def schema_in(value: JsonValue, *path: str) -> JsonObject | None:
    """Return the JSON Schema at `path`, if there is one."""
    found = within(value, *path)
    return found if isinstance(found, dict) else None


def within(value: JsonValue, *path: str) -> JsonValue:
    """Return the value at `path` in nested objects, None if there is none."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
