"""The names of tools: as files have them, and as they are sent to models."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from llm_orc.providers.parts import LONGEST_TOOL_NAME
from llm_orc.storage.field_types import WrongValue, field_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_orc.jsontypes import JsonValue

SOURCES: Mapping[str, str] = {
    "files": "files.read",
    "web": "web.fetch",
    "mcp": "mcp.SERVER.TOOL",
    "run": "run.NAME",
    "ensemble": "ensemble.NAME",
}
"""Where tools come from, by what their names begin with, each with how its tools are named."""

_NOT_SENDABLE = re.compile(r"[^a-zA-Z0-9_-]")
_HASH = 8  # characters


def source_of(name: str) -> str:
    """Return what the name begins with, `files` of `files.read`."""
    return name.partition(".")[0]


_PATTERN = rf"^({'|'.join(SOURCES)})\.\S+$"


@field_type(
    {"type": "array", "items": {"type": "string", "pattern": _PATTERN}, "uniqueItems": True},
    "a list of tools, each named once",
)
def tool_names(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise WrongValue("a list of tools: `[files.read, web.fetch]`")
    names = tuple(_tool_name(item) for item in value)
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise WrongValue(f"a list of tools, each named once; `{twice}` is there twice")
    return names


def _tool_name(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise WrongValue("a list of names of tools")
    source, dot, rest = value.partition(".")
    if source not in SOURCES or not dot or not rest.strip() or rest != rest.strip():
        hint = f"Tools are {', '.join(f'`{example}`' for example in SOURCES.values())}."
        raise WrongValue(f"a list of tools, and `{value[:80]}` is none", hint)
    return value


def sendable_names(names: Iterable[str]) -> dict[str, str]:
    """Return the name under which each tool is sent to a model: its own as far as possible, and unique."""
    plain = {name: _NOT_SENDABLE.sub("_", name) for name in names}
    times: dict[str, int] = {}
    for short in plain.values():
        times[short] = times.get(short, 0) + 1
    return {
        name: short if len(short) <= LONGEST_TOOL_NAME and times[short] == 1 else _hashed(name, short)
        for name, short in plain.items()
    }


def _hashed(name: str, short: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{short[: LONGEST_TOOL_NAME - _HASH - 1]}_{digest}"
