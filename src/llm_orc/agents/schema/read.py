"""Read the schema of an agent's answer: `schema`, and the spellings of earlier releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.schemas.bad import BadSchema
from llm_orc.schemas.check import problems_of
from llm_orc.schemas.short import expanded
from llm_orc.storage.field_types import WrongValue, field_type, type_of
from llm_orc.storage.yaml_source import read_yaml_file

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.agents.kind import AgentKeys
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema

_FORMS = "fields with their types, a JSON Schema, or the name of a file with one"


@field_type(
    {"type": ["object", "array", "string", "null"], "minProperties": 1, "minItems": 1, "pattern": r"\S"}, _FORMS
)
def schema_value(value: JsonValue) -> JsonValue:
    if isinstance(value, bool | int | float) or (isinstance(value, str) and not value.strip()):
        raise WrongValue(f"{_FORMS}, not {type_of(value) if value != '' else 'empty text'}")
    return value


@field_type({"type": ["object", "string", "null"]}, "`json`, or a mapping as OpenAI takes it")
def response_format(value: JsonValue) -> JsonValue:
    if value is None or value in ("json", "json_object", "text"):
        return value
    if isinstance(value, dict) and value.get("type") in ("json_schema", "json_object", "text"):
        return value
    raise WrongValue("`json`, or a mapping with `type: json_schema` and `json_schema: {schema: …}`")


def read_schema(keys: AgentKeys) -> Schema | None:
    """Return the JSON Schema of the answer; None: the agent has none. What is wrong becomes problems."""
    written, key, within = _written(keys)
    if written is None:
        return None
    if isinstance(written, str):
        return _of_file(keys, written)
    try:
        schema = expanded(written)
    except BadSchema as e:
        keys.say(key, f"the schema of agent `{keys.agent}` {e.message}", e.hint, within=(*within, *e.path))
        return None
    problems = problems_of(schema)
    for problem in problems:
        message = f"the schema of agent `{keys.agent}` {problem.message}"
        keys.say(key, message, problem.hint, within=(*within, *problem.path))
    return None if problems else schema


def _written(keys: AgentKeys) -> tuple[JsonValue, str, tuple[str | int, ...]]:
    """Return what is written, under which key, and where in its value."""
    schema, older = keys.values.get("schema"), keys.values.get("response_format")
    if schema is not None and older is not None:
        keys.say(
            "response_format",
            f"agent `{keys.agent}` has both `schema` and `response_format`",
            hint="`response_format` is the older spelling: keep `schema`.",
        )
    if schema is not None:
        return schema, "schema", ()
    named = older.get("json_schema") if isinstance(older, dict) else None
    if isinstance(named, dict):
        return (
            (named["schema"], "response_format", ("json_schema", "schema"))
            if "schema" in named
            else (
                named,
                "response_format",
                ("json_schema",),
            )
        )
    if isinstance(older, dict) and older.get("type") == "json_schema":
        keys.say(
            "response_format",
            f"the `response_format` of agent `{keys.agent}` has no `json_schema` with a `schema`",
            hint="Better write `schema:`.",
        )
    return None, "", ()


def wants_json(keys: AgentKeys) -> bool:
    """Return whether the agent asks for JSON of any kind."""
    older = keys.values.get("response_format")
    kind = older.get("type") if isinstance(older, dict) else older
    return keys.values.get("output_format") == "json" or kind in ("json", "json_object")


def asks_for_data(keys: AgentKeys) -> bool:
    """Return whether the agent asks for JSON in one of the older spellings, of any kind or by a schema."""
    older = keys.values.get("response_format")
    return wants_json(keys) or (older is not None and older != "text")


def _of_file(keys: AgentKeys, written: str) -> Schema | None:
    def say(message: str, hint: str | None = None) -> None:
        keys.say("schema", f"agent `{keys.agent}`: {message}", hint)

    found = _find(keys, written)
    if found is None:
        say(
            f"there is no schema `{written[:200]}` below the folder of the ensemble",
            "Name a file relative to the ensemble's, or write the fields: `{title: string, score: number}`.",
        )
        return None
    document = read_yaml_file(found)
    for problem in document.problems:
        place = f" (line {problem.line}, column {problem.column})" if problem.line else ""
        say(f"`{written}`{place} {problem.message}", problem.hint)
    if document.problems:
        return None
    try:
        schema = expanded(document.data)
        problems = problems_of(schema)
    except BadSchema as e:
        problems, schema = [e], {}
    for bad in problems:
        at = document.key_at(bad.path)
        say(f"`{written}` (line {at.line}, column {at.column}): the schema {bad.message}", bad.hint)
    return None if problems else schema


def _find(keys: AgentKeys, written: str) -> Path | None:
    """Return the file, if it is below the folder of the ensemble's file or the project's directory."""
    around = keys.around
    roots = [*around.folders[:1], *([around.root] if around.root is not None else [])]
    for base in roots:
        try:
            found = (base / written).resolve()
            is_below = any(found.is_relative_to(root.resolve()) for root in roots)
            if is_below and found.is_file():
                return found
        except (OSError, ValueError, RuntimeError):
            continue
    return None
