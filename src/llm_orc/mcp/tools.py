"""The tools of a server, and what a call of one returns."""

from __future__ import annotations

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.mcp.param_headers import ParamHeader, param_headers_in
from llm_orc.mcp.wire import list_in, object_in, text_in

_DEEPEST = 100  # levels of structured content: what writes and masks it goes down level by level


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool that a server offers. Everything in it is the server's word, and may be anything.

    `input_schema` is the JSON Schema of its arguments, `output_schema` that of `ToolResult.data`, if it has one.
    `only_reads`, `destroys` and `is_idempotent` are hints; None: the server doesn't say.
    """

    name: str
    description: str
    input_schema: dict[str, JsonValue]
    output_schema: dict[str, JsonValue] | None = None
    title: str = ""
    only_reads: bool | None = None
    destroys: bool | None = None
    is_idempotent: bool | None = None
    headers: tuple[ParamHeader, ...] = ()  # arguments that are repeated as headers over HTTP

    @property
    def definition(self) -> dict[str, JsonValue]:
        """What decides what the tool is, for a digest: a change of it asks for consent again."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
            "hints": [self.only_reads, self.destroys, self.is_idempotent],
        }


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned. `is_error`: the tool failed, and `text` says why; a model may see it and try again.

    `data` is its structured content; None: it has none. `left_out` names content that is no text.
    """

    text: str
    data: JsonValue | None = None
    is_error: bool = False
    left_out: tuple[str, ...] = ()


def read_tool(row: JsonValue) -> McpTool | str:
    """Return the tool of a row of `tools/list`, or why it can't be offered."""
    name = text_in(row, "name")
    if not name:
        return "a tool without a name"
    schema = object_in(row, "inputSchema")
    if schema.get("type", "object") != "object":
        return f"`{name[:80]}`: its arguments are no object"
    try:
        headers = param_headers_in(schema)
    except ValueError as e:
        return f"`{name[:80]}`: {e}"
    hints = object_in(row, "annotations")
    output = object_in(row, "outputSchema")
    return McpTool(
        name=name,
        description=text_in(row, "description"),
        input_schema=schema or {"type": "object"},
        output_schema=output or None,
        title=text_in(row, "title") or text_in(hints, "title"),
        only_reads=_hint(hints, "readOnlyHint"),
        destroys=_hint(hints, "destructiveHint"),
        is_idempotent=_hint(hints, "idempotentHint"),
        headers=headers,
    )


def _hint(hints: dict[str, JsonValue], name: str) -> bool | None:
    value = hints.get(name)
    return value if isinstance(value, bool) else None


def _is_deep(value: JsonValue) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        below = [inner for one in level if isinstance(one, dict) for inner in one.values()]
        level = below + [inner for one in level if isinstance(one, list) for inner in one]
        if not level:
            return False
    return True


def read_result(result: JsonValue) -> ToolResult:
    """Return the result of `tools/call`: its texts joined, other content by what it is."""
    texts: list[str] = []
    left_out: list[str] = []
    for block in list_in(result, "content"):
        match text_in(block, "type"):
            case "text":
                texts.append(text_in(block, "text"))
            case "resource" if text := text_in(block, "resource", "text"):
                texts.append(text)
            case "resource_link":
                texts.append(f"{text_in(block, 'name')} {text_in(block, 'uri')}".strip())
            case kind:
                media = text_in(block, "mimeType") or text_in(block, "resource", "mimeType")
                left_out.append(f"{kind or 'content'} {media}".strip()[:80])
    data = object_in(result).get("structuredContent")
    if _is_deep(data):
        data = None
        left_out.append(f"structured content that is nested more than {_DEEPEST} deep")
    return ToolResult("\n".join(texts), data, object_in(result).get("isError") is True, tuple(left_out))
