"""JSON and server-sent events as servers write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

KEEP_ALIVE = b": working\n\n"
"""A comment, which clients ignore: proxies end connections on which nothing comes."""


def encode(value: JsonValue) -> bytes:
    """Return JSON in UTF-8."""
    return msgspec.json.encode(value)


def event(data: JsonValue, name: str = "") -> bytes:
    """Return one server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode(data) + b"\n\n"
