"""The keys of `tools.NAME` and of `web`, and the values of `permissions`: one row each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.schemas.bad import BadSchema
from llm_orc.schemas.check import problems_of
from llm_orc.schemas.short import expanded
from llm_orc.settings.field import Field, Fields
from llm_orc.settings.types.values import command_line, file_path, names, variables
from llm_orc.storage.field_types import (
    WrongValue,
    boolean,
    described,
    field_type,
    non_empty_text,
    number,
    optional,
    type_of,
)

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_HOST = re.compile(r"(\*\.)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_VERDICT = re.compile(r"allow|ask|deny|allow:[0-9a-f]{16}")


@field_type({"type": ["object", "null"]}, "a mapping of arguments to their types, or a JSON Schema")
def parameters(value: JsonValue) -> dict[str, JsonValue]:
    """Return the JSON Schema of an object of arguments."""
    if value is None or value == {}:
        return {"type": "object", "additionalProperties": False}
    if not isinstance(value, dict):
        raise WrongValue(f"a mapping of arguments to their types, or a JSON Schema, not {type_of(value)}")
    try:
        schema = expanded(value)
    except BadSchema as e:
        raise WrongValue(f"arguments with their types: it {e.message}", e.hint) from None
    for problem in problems_of(schema):
        raise WrongValue(f"a usable schema: it {problem.message}", problem.hint)
    if schema.get("type") != "object":
        raise WrongValue("the schema of an object, whose properties are the arguments", "Give it `type: object`.")
    return dict(schema)


@field_type({"type": ["array", "null"], "items": {"type": "string"}}, "a list of hosts")
def hosts(value: JsonValue) -> tuple[str, ...] | None:
    """Hosts, each `HOST` or `HOST:PORT`; `*.HOST` are all names below it."""
    if value is None:
        return None
    found = names(value)
    for host in found:
        if not _HOST.fullmatch(host):
            raise WrongValue("a list of hosts such as `example.com`, `*.example.com` or `localhost:8080`")
    return found


@field_type({"type": "string", "pattern": f"^({_VERDICT.pattern})$"}, "`allow`, `ask` or `deny`")
def verdict(value: JsonValue) -> str:
    """`allow:DIGEST` allows a tool as long as its definition is the one with that digest."""
    if isinstance(value, str) and _VERDICT.fullmatch(value):
        return value
    raise WrongValue("`allow`, `ask` or `deny`")


TOOL_FIELDS: Fields = {
    "description": Field(
        optional(non_empty_text), "What the tool does and when to use it: the model reads this.", is_prose=True
    ),
    "parameters": Field(
        parameters,
        "The arguments: `{path: string, depth?: integer}`, or a JSON Schema of an object.",
        default_text="none",
        is_prose=True,
    ),
    "command": Field(
        command_line,
        "The program, as a list of words, run without a shell. The arguments of a call are JSON on its standard"
        " input; its standard output is the result.",
    ),
    "env": Field(
        variables,
        "Variables for its process. One without a value is passed on from your environment; nothing else is,"
        " except what any program needs.",
    ),
    "cwd": Field(
        described(optional(file_path), "the path of a directory"),
        "The directory that it starts in.",
        default_text="the working directory",
    ),
    "timeout_seconds": Field(
        number(0, above=True), "The longest time for one call.", default=60.0, attribute="timeout_s"
    ),
    "idempotent": Field(
        boolean,
        "Whether a second call with the same arguments changes nothing more, so that it may be repeated after a"
        " crash.",
        default=False,
        attribute="is_idempotent",
    ),
    "reads_only": Field(
        boolean,
        "Whether it changes and sends nothing: then it is allowed without asking, and calls may run side by side.",
        default=False,
        attribute="only_reads",
    ),
}

WEB_FIELDS: Fields = {
    "allowed_hosts": Field(
        hosts,
        "The only hosts that `web.fetch` may fetch from, without asking; `*.example.com` are all names below it.",
        default_text="every public host, after asking",
    ),
    "private_hosts": Field(
        hosts,
        "Hosts that it may fetch from although they are on this machine or a private network.",
        default_text="none",
    ),
}

PERMISSION = Field(
    verdict,
    "Whether agents may call the tools that the key names: `allow`, `ask` or `deny`. `*` in a key stands for any"
    ' text. `allow:DIGEST`, which an answer of "always" writes, holds until the tool\'s definition changes.',
)
