"""Generate the tables of docs/reference from the rows and types of the code.

A page keeps its hand-written prose; each table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import re
import types
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import llm_orc
from llm_orc.agents.kinds import KINDS
from llm_orc.agents.model.kind import MODEL
from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS
from llm_orc.engine.events import RunEvent
from llm_orc.ensembles.fields import ENSEMBLE_FIELDS, FRAME_FIELDS
from llm_orc.ensembles.inputs import INPUT_FIELDS
from llm_orc.formats.json_lines import error_line, event_line
from llm_orc.formats.json_result import schema as result_schema
from llm_orc.settings.fields import SECTIONS
from llm_orc.settings.rows.call_fields import CALL_FIELDS, INTERACTIVE_FIELDS
from llm_orc.settings.rows.oauth_fields import NOTICE_FIELDS, OAUTH_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.field import Field, Right

_WITHOUT_TRUST: Mapping[Right, str] = {
    "counts": "yes",
    "chooses": "where it is free",
    "lowers": "lower only",
    "runs": "starts no program",
    "trust": "no",
    "never": "never",
}
_BLOCK = re.compile(r"<!-- begin (?P<name>[^\n]+?) -->\n.*?<!-- end (?P=name) -->", flags=re.DOTALL)
_JSON_TYPES = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "`null`",
}
_LONGEST_LINE = 100  # characters


def fill(page: str) -> str:
    """Return the page with all tables regenerated. Raises `KeyError` for an unknown name of a table."""
    tables = all_tables()

    def made(block: re.Match[str]) -> str:
        name = block["name"]
        return f"<!-- begin {name} -->\n\n{tables[name]()}\n\n<!-- end {name} -->"

    return _BLOCK.sub(made, page)


def names_in(page: str) -> list[str]:
    """Return the names of the tables that a page has."""
    return [block["name"] for block in _BLOCK.finditer(page)]


def all_tables() -> dict[str, Callable[[], str]]:
    """Return the function that generates each table, by the name of the table."""
    groups: dict[str, Mapping[str, Field]] = {
        "ensemble": ENSEMBLE_FIELDS,
        "input": INPUT_FIELDS,
        "agent": FRAME_FIELDS,
        **{"model" if kind is MODEL else f"{key} agent": kind.fields for key, kind in KINDS.items()},
        **{key: row.fields for kind in KINDS.values() for key, row in kind.fields.items() if row.fields},
        **{name: section.fields for name, section in SECTIONS.items() if section.fields},
        "providers.interactive_only": INTERACTIVE_FIELDS,
        "providers.oauth": OAUTH_FIELDS,
        "providers.oauth.notice": NOTICE_FIELDS,
        "providers.calls": CALL_FIELDS,
    }
    tables = {f"keys of {name}": _maker(field_table, fields) for name, fields in groups.items()}
    for name in ("run_result", "agent_result", "totals", "usage", "access", "error", "problem"):
        tables[f"result: {name}"] = _maker(result_table, name)
    tables["events"] = event_table
    tables["providers"] = provider_table
    for name in llm_orc.__all__:
        public = getattr(llm_orc, name)
        if inspect.isfunction(public):
            tables[f"library: {name}"] = _maker(signature, public)
        elif dataclasses.is_dataclass(public):
            tables[f"library: {name}"] = _maker(attribute_table, public)
    return tables


def _maker(make: Callable[[Any], str], what: object) -> Callable[[], str]:
    return lambda: make(what)


# Keys of ensembles and settings


def field_table(fields: Mapping[str, Field]) -> str:
    """Return the table of the keys of one mapping. Columns without values are left out."""
    heading = ["key", "type", "meaning", "default", "without trust", "environment", "option"]
    rows = [
        [
            f"`{key}`",
            row.type.description,
            row.description,
            "required" if row.required else _default(row),
            _WITHOUT_TRUST[row.right],
            f"`{row.variable}`" if row.variable else "",
            f"`{row.option}`" if row.option else "",
        ]
        for key, row in fields.items()
    ]
    return _table(heading, rows)


def _default(row: Field) -> str:
    if row.default_text or row.default is None:
        return row.default_text
    written = row.default if isinstance(row.default, str) else json.dumps(row.default)
    return f"`{written.removesuffix('.0')}`"


def _table(heading: list[str], rows: list[list[str]]) -> str:
    shown = [i for i in range(len(heading)) if any(row[i] for row in rows)]
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(line[i].replace("|", r"\|") for i in shown) + " |" for line in lines)


# Providers


def provider_table() -> str:
    """Return the table of the providers that are reached over HTTP."""
    rows = [
        [
            f"`{row.name}`",
            row.title,
            f"`{row.base_url}`"
            if row.base_url
            else f"yours, like `{row.address_like}`"
            if row.address_like
            else "yours",
            f"`{row.dialect}`",
            _either(f"`{name}`" for name in row.api_key_env) if row.api_key_env else "",
            row.keys_at,
            f"`{row.default_model}`" if row.default_model else "",
            f"`{row.billing}`",
        ]
        for row in PROVIDERS.values()
        if row.name not in OFFICIAL_CLIS
    ]
    return _table(["name", "meaning", "base URL", "dialect", "variable", "keys at", "default model", "pays"], rows)


# The JSON document of a result


def result_table(name: str) -> str:
    """Return the table of the keys of one mapping of the published JSON Schema."""
    definitions = json.loads(result_schema())["$defs"]
    rows = []
    for key, content in _properties(name, definitions).items():
        whole = _resolved(content, definitions)
        rows.append([f"`{key}`", _json_type(whole, definitions), whole.get("description", "")])
    return _table(["key", "type", "meaning"], rows)


def _properties(name: str, definitions: Mapping[str, Any]) -> dict[str, Any]:
    if name == "totals":
        totals = definitions["run_result"]["properties"]["totals"]
        return {**definitions["spend"]["properties"], **totals["properties"]}
    if name == "usage":
        return dict(definitions["agent_result"]["properties"]["usage"]["properties"])
    return dict(definitions[name]["properties"])


def _resolved(content: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a `$ref`: the keys beside it override those of its target."""
    reference = content.get("$ref")
    if reference is None:
        return dict(content)
    return {**_resolved(definitions[reference.rpartition("/")[2]], definitions), **content}


def _json_type(content: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "const" in content:
        return f"`{json.dumps(content['const'])}`"
    if "enum" in content:
        return _either(f"`{json.dumps(value).strip(chr(34))}`" for value in content["enum"])
    if "oneOf" in content:
        return _either(_json_type(_resolved(one, definitions), definitions) for one in content["oneOf"])
    found = content.get("type", "object")
    types_of: list[str] = found if isinstance(found, list) else [found]
    return _either(_JSON_TYPES[one] for one in types_of)


def _either(words: Iterable[str]) -> str:
    *before, last = words
    return f"{', '.join(before)} or {last}" if before else last


# The lines of events


def event_table() -> str:
    """Return the table of event types: when each is written, and its keys."""
    rows = []
    for kind in get_args(RunEvent):
        values: dict[str, JsonValue] = json.loads(event_line(sample(kind)))
        keys = ", ".join(f"`{key}`" for key in values if key not in {"type", "at"})
        rows.append([f"`{values['type']}`", _sentence(kind), keys])
    error = json.loads(error_line(llm_orc.InputError("")))
    rows.append([f"`{error['type']}`", "The run ended with no result.", "`error`"])
    return _table(["type", "meaning", "further keys"], rows)


def _sentence(documented: object) -> str:
    """Return the first paragraph of the docstring; nothing if it is only the signature that `dataclass` writes."""
    text = inspect.getdoc(documented) or ""
    is_made = isinstance(documented, type) and text.startswith(f"{documented.__name__}(")
    return "" if is_made else " ".join(text.partition("\n\n")[0].split())


def sample(kind: Any) -> Any:
    """Return an example value of a type, to show how it is written."""
    kind = getattr(kind, "__supertype__", kind)  # of a `NewType`
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return sample(next(one for one in inner if one is not type(None)))
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        return tuple(sample(one) for one in inner if one is not Ellipsis)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        needed = (
            one for one in dataclasses.fields(kind) if one.default is one.default_factory is dataclasses.MISSING
        )
        return cast("Any", kind)(**{one.name: sample(hints[one.name]) for one in needed})
    return (origin or kind)()


# The Python library


def signature(function: Any) -> str:
    """Return a public function's signature as in source code: on one line, or with a line for each argument."""
    found = inspect.signature(function)
    arguments = [_argument(one) for one in found.parameters.values()]
    keyword = next((i for i, one in enumerate(found.parameters.values()) if one.kind is one.KEYWORD_ONLY), None)
    if keyword is not None:
        arguments.insert(keyword, "*")
    start = f"{'await ' if inspect.iscoroutinefunction(function) else ''}{function.__name__}("
    end = f") -> {found.return_annotation}"
    line = f"{start}{', '.join(arguments)}{end}"
    if len(line) > _LONGEST_LINE:
        line = f"{start}\n" + "".join(f"    {one},\n" for one in arguments) + end
    return f"```text\n{line}\n```"


def _argument(one: inspect.Parameter) -> str:
    default = "" if one.default is one.empty else f" = {one.default!r}"
    return f"{one.name}: {one.annotation}{default}"


def attribute_table(public: type) -> str:
    """Return the attributes and properties of a public class, with the comments beside them."""
    rows = [[f"`{key}`", f"`{kind}`", meaning] for key, kind, meaning in _attributes(public)]
    return _table(["attribute", "type", "meaning"], rows)


def _attributes(public: type) -> Iterator[tuple[str, str, str]]:
    notes = dict(re.findall(r"^    (\w+): .*?  # (.+)$", inspect.getsource(public), flags=re.MULTILINE))
    for one in dataclasses.fields(cast("Any", public)):
        if one.name[0] != "_":
            yield one.name, str(one.type), notes.get(one.name, "")
    for key, value in vars(public).items():
        if isinstance(value, property) and key[0] != "_":
            kind = inspect.get_annotations(cast("Any", value.fget))["return"]
            yield key, str(kind), _sentence(value)
