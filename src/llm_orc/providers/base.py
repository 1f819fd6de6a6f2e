"""The interface of every model: a request in, a reply out, and an observer of the stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from llm_orc.catalog.call_rules import NO_RULES, CallRules
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.parts import Attachment, FileRef, OwnBlocks, ToolAnswer, ToolCall, ToolOffer

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError

Role = Literal["user", "assistant"]
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "other"]

LONGEST_WAIT_S = 60.0
"""A longer pause is not waited for."""


@dataclass(frozen=True, slots=True)
class Target:
    """The provider and model that are called; every error message starts with it. `model` empty: no model is."""

    provider: str
    model: str
    calls: CallRules = field(default=NO_RULES, compare=False, repr=False)

    def __str__(self) -> str:
        return f"`{self.provider}` (model `{self.model}`)" if self.model else f"`{self.provider}`"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `system_prompt` is the one in force when the user said it; it is not part of the content.

    `calls` are those that the model asked for in its turn, after its text, and `own` is that turn as its provider
    wrote it. `results` are what a user's turn begins with: the answers to all calls of the turn before.
    `attachments` go before the text of a user's turn. `files` are those that
    have not been read: they become attachments before a model is called.
    """

    role: Role
    content: str
    system_prompt: str | None = field(default=None, compare=False)
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolAnswer, ...] = ()
    own: OwnBlocks | None = field(default=None, compare=False)
    attachments: tuple[Attachment, ...] = ()
    files: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None: it did not say, or nothing plausible (`providers.usage`).

    `input_tokens` includes those read from and written to its cache.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None  # only if the provider itself states it
    at_list_price: bool = True  # False: the provider reports a service tier that its price list doesn't have

    @property
    def tokens(self) -> int | None:
        """The sum of input and output."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens

    def plus(self, other: Usage) -> Usage:
        """Return what two calls took together; what is not known of one is not known of both."""
        return Usage(
            _sum_of(self.input_tokens, other.input_tokens),
            _sum_of(self.output_tokens, other.output_tokens),
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            _sum_of(self.cost_usd, other.cost_usd),
            self.at_list_price and other.at_list_price,
        )


_Number = TypeVar("_Number", int, float)


def _sum_of(one: _Number | None, other: _Number | None) -> _Number | None:
    return None if one is None or other is None else one + other


NO_USAGE = Usage(0, 0)
"""The usage of a call that was not made."""


class PermittedAttempt(Protocol):
    """One attempt of a call, as the budget sees it."""

    async def before_send(self) -> None:
        """Awaited immediately before the attempt is sent. Raises if it may not be sent."""
        ...

    def answered(self, reply: Reply) -> None:
        """The whole answer has arrived."""
        ...


Permit = Callable[[int], AbstractAsyncContextManager[PermittedAttempt]]
"""Entered with the size of the request in bytes, and left when the attempt has ended, however it ended."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call. `options` go into the provider's request body unchanged.

    `schema`, JSON Schema, is what the answer has to satisfy; `schema_in_words` says it in the prompt, although the
    protocol has a field for it. `tools` are those that the model may call.

    `conversation` says that more turns may follow: a provider's prompt cache is then asked to keep it, and a model
    with a process for each conversation keeps that. Each attempt is made within a `permit`. `shared` says that
    other requests of now begin with as many characters of the last message, and the same before it: a cache is
    worth it.
    """

    messages: tuple[Message, ...]
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    json_output: bool = False
    schema: dict[str, JsonValue] | None = None
    schema_in_words: bool = False
    tools: tuple[ToolOffer, ...] = ()
    options: dict[str, JsonValue] = field(default_factory=dict)
    conversation: str | None = None
    shared: int = 0
    permit: Permit | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. `model` is the one that answered, according to the provider.

    `calls`: the model wants the results of these calls before it goes on; its text may be empty then. `own`: see
    `Message`.
    """

    text: str
    model: str
    usage: Usage = field(default_factory=Usage)
    stop_reason: StopReason = "end_turn"
    request_id: str = ""
    stop_word: str = ""  # the provider's own word, if its meaning is unknown
    is_enforced: bool = False  # the provider was given the schema; False: only the prompt said it
    calls: tuple[ToolCall, ...] = ()
    own: OwnBlocks | None = None


class ReplyObserver(Protocol):
    """Watches one call. Both methods return at once and raise nothing."""

    def text(self, piece: str) -> None:
        """A piece of the answer arrived. Provisional until the reply is returned."""
        ...

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        """The attempt failed with `error`; number `attempt` (from 2) starts in `delay_s`. Text so far is void."""
        ...


class ModelInterface(ABC):
    """A model over some access. `name` is the model's id at `provider`."""

    provider: str
    name: str

    @abstractmethod
    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        """Return the model's answer; stream it to `observer`, if there is one.

        Retries transient failures. Raises `ProviderError`, or `AuthError` if access was refused.
        """

    async def let_go(self) -> None:  # noqa: B027 - most models keep nothing
        """End what is kept between two calls: for a long time there will be none."""
