"""Arguments of a call that satisfy the tool's schema, read as the type that it gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue


def text(arguments: Mapping[str, JsonValue], name: str, default: str = "") -> str:
    value = arguments.get(name)
    return value if isinstance(value, str) else default


def integer(arguments: Mapping[str, JsonValue], name: str, default: int) -> int:
    """JSON has one kind of number: 3.0 is an integer too (JSON Schema 2020-12, 6.1.1)."""
    value = arguments.get(name)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def truth(arguments: Mapping[str, JsonValue], name: str) -> bool:
    return arguments.get(name) is True
