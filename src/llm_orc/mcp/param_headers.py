"""Arguments of a tool that are repeated as HTTP headers, and how their values are written.

Source: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports, Custom Headers: `x-mcp-header`
in the schema of an argument.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.mcp.wire import object_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue

_KEY = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_TYPES = {"string", "integer", "boolean"}
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class ParamHeader:
    """The argument at `path` is sent as the header `Mcp-Param-NAME` as well."""

    path: tuple[str, ...]
    name: str


def param_headers_in(schema: dict[str, JsonValue]) -> tuple[ParamHeader, ...]:
    """Return the headers that the schema of a tool's arguments asks for.

    Raises `ValueError` if one is not as the protocol allows: then the tool may not be called.
    """
    found = tuple(_in(schema, ()))
    names = [header.name.casefold() for header in found]
    if len(set(names)) < len(names):
        raise ValueError("two of its arguments have one header")
    return found


def _in(schema: dict[str, JsonValue], path: tuple[str, ...]) -> Iterator[ParamHeader]:
    if len(path) > _DEEPEST:
        return
    name = schema.get(_KEY)
    if name is not None:
        if not path or not isinstance(name, str) or not _TOKEN.fullmatch(name) or schema.get("type") not in _TYPES:
            raise ValueError(f"`{_KEY}` of `{'.'.join(path) or 'its arguments'}` is not as the protocol allows")
        yield ParamHeader(path, name)
    for key, inner in object_in(schema, "properties").items():
        if isinstance(inner, dict):
            yield from _in(inner, (*path, key))


def headers_for(headers: Sequence[ParamHeader], arguments: dict[str, JsonValue]) -> dict[str, str]:
    """Return the headers for a call with these arguments; one that is not given has none."""
    made = {}
    for header in headers:
        value: JsonValue = object_in(arguments, *header.path[:-1]).get(header.path[-1])
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str | int):
            made[f"Mcp-Param-{header.name}"] = header_value(str(value))
    return made


def header_value(text: str) -> str:
    """Return a text as the value of a header: as it is, or, where that is not possible, as base64."""
    if _PLAIN.fullmatch(text) and not (text.startswith("=?base64?") and text.endswith("?=")):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'surrogatepass')).decode()}?="
