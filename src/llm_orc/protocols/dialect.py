"""The interface of a wire protocol; everything else about serving it is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.chat_request import ArrivedRequest, ChatRequest, Rejected
    from llm_orc.protocols.reply import ServedReply

REQUESTS_PER_MINUTE = 1_000
TOKENS_PER_MINUTE = 400_000


class Dialect(Protocol):
    """A provider's wire protocol, seen from the server. Pure: text in, text out.

    A streamed reply is its opening, one piece for each token, its calls of tools, and its closing.
    """

    name: DialectName
    base_path: str  # what this protocol's clients append to the origin
    paths: tuple[str, ...]  # in the router's notation
    not_json: str  # the provider's error for a body that isn't a JSON object
    overloaded_status: int

    def read(self, arrived: ArrivedRequest) -> ChatRequest:
        """Read a request. Raises `Rejected` as the real provider would."""
        ...

    def credential(self, headers: Mapping[str, str]) -> str:
        """Return the bare key or token of the request; empty if there is none."""
        ...

    def wrong_key(self) -> Rejected:
        """Return the provider's error for an unknown key or token."""
        ...

    def too_long(self, tokens: int, most: int) -> Rejected:
        """Return the provider's error for more input than the model accepts."""
        ...

    def whole(self, reply: ServedReply) -> JsonValue: ...

    def opening(self, reply: ServedReply) -> bytes: ...

    def piece(self, reply: ServedReply, index: int) -> bytes: ...

    def calls(self, reply: ServedReply) -> bytes:
        """Return the calls of tools, with their arguments in pieces; nothing if there are none."""
        ...

    def closing(self, reply: ServedReply) -> bytes: ...

    def error(self, rejected: Rejected, request_id: str) -> JsonValue: ...

    def error_event(self, rejected: Rejected, reply: ServedReply) -> bytes: ...

    def request_id(self, number: int) -> str: ...

    def headers(self, request_id: str, now: float, *, exhausted: bool) -> dict[str, str]:
        """Return the headers of every response; `exhausted` if the request limit is used up."""
        ...


def halves(text: str) -> tuple[str, str]:
    """Return a text in two pieces, as a stream has it."""
    return text[: len(text) // 2], text[len(text) // 2 :]


def event(data: JsonValue, name: str = "") -> bytes:
    """Return one server-sent event (WHATWG HTML §9.2)."""
    head = f"event: {name}\n".encode() if name else b""
    return b"%bdata: %b\n\n" % (head, msgspec.json.encode(data))
