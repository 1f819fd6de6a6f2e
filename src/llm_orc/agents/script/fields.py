"""The keys of an agent that runs a program: one row each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.agents.schema.read import schema_value
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import (
    WrongValue,
    boolean,
    choice,
    field_type,
    json_mapping,
    non_empty_text,
    optional,
    text,
    type_of,
)

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@field_type(
    {
        "anyOf": [
            {"type": "string", "pattern": r"\S"},
            {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
        ]
    },
    "a program with its arguments as a list, or a file",
)
def program(value: JsonValue) -> str | tuple[str, ...]:
    if not isinstance(value, list):
        return non_empty_text(value)
    if not value:
        raise WrongValue("a list of a program and its arguments; it is empty")
    return tuple(_argument(item) for item in value)


def _argument(item: JsonValue) -> str:
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    if not isinstance(item, str):
        raise WrongValue(f"a list of texts; one is {type_of(item)}", "Put it in quotes.")
    if "\0" in item:
        raise WrongValue("free of NUL characters")
    return item


@field_type(
    {
        "type": ["object", "null"],
        "additionalProperties": {"type": ["string", "number", "null"]},
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    },
    "a mapping of variables to their values",
    "mapping",
)
def variables(value: JsonValue) -> dict[str, str | None]:
    """A variable without a value has the one that this process has."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongValue(f"a mapping of variables to their values, not {type_of(value)}")
    return {_name(name): _value(name, one) for name, one in value.items()}


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise WrongValue(f"a mapping of variables; `{name[:80]}` can't be one", "Use letters, digits and `_`.")
    return name


def _value(name: str, value: JsonValue) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongValue(f"a mapping of variables to texts; `{name}` is {type_of(value)}", "Put it in quotes.")
    if "\0" in (shown := str(value)):
        raise WrongValue("free of NUL characters")
    return shown


SCRIPT_FIELDS: Fields = {
    "script": Field(
        program,
        "The program. A list is the program and its arguments, in which `${inputs.NAME}` is filled in. A text is a"
        " file: in the ensemble's folder, in `scripts` there or beside it, or in that of your settings folder.",
        "runs",
        required=True,
        is_prose=True,
    ),
    "shell": Field(
        optional(boolean),
        "`true`: `script` is a line for the shell. It is read as it is, without references.",
        "runs",
        default=False,
    ),
    "stdin": Field(
        optional(text),
        "What its standard input is, with references.",
        "runs",
        default_text="a JSON document with the task, the inputs and the answers of `depends_on`",
        is_prose=True,
    ),
    "env": Field(
        variables,
        "Variables for it, with references. One without a value is passed on from your environment.",
        "runs",
        default_text="only what every program needs: no keys and no tokens",
        is_prose=True,
    ),
    "cwd": Field(
        optional(non_empty_text),
        "The directory that it runs in, relative to the project's, or without one to that of the ensemble's file.",
        "runs",
        default_text="the project's directory, else the one that you are in",
    ),
    "output": Field(
        optional(choice("text", "json")),
        "`json`: its output has to be JSON, and is the answer's data. `text`: it is text, whatever it looks like.",
        "counts",
        default_text="text, with the data of a JSON object or list",
    ),
    "schema": Field(
        optional(schema_value),
        "What its output has to be, as for agents that ask a model: fields with their types, a JSON Schema, or the"
        " name of a file with one. The output is JSON then, and one that does not satisfy it fails the agent.",
        "counts",
        default_text="nothing is checked",
        is_prose=True,
    ),
    "parameters": Field(
        json_mapping,
        "Values for it, in `parameters` of the JSON document.",
        "runs",
        default_text="none",
        is_prose=True,
    ),
}
