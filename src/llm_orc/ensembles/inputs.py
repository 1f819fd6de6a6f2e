"""Read the inputs that an ensemble declares: `NAME: TYPE`, or a mapping for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from llm_orc.agents.inputs.spec import InputSpec, InputType
from llm_orc.agents.inputs.values import WrongInput, value_of
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import (
    FieldType,
    WrongValue,
    anything,
    choice,
    described,
    json_mapping,
    optional,
    text,
    type_of,
)
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.field_types import JsonSchema
    from llm_orc.storage.yaml_fields import FieldReader

TYPES: tuple[str, ...] = get_args(InputType)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def _enum(value: JsonValue) -> tuple[JsonValue, ...]:
    if not isinstance(value, list) or not value:
        raise WrongValue(f"a list of values, not {'an empty one' if value == [] else type_of(value)}")
    return tuple(value)


INPUT_FIELDS: Fields = {
    "type": Field(
        choice(*TYPES),
        "The type of its values. From a command line or a table, text is read as this type.",
        "counts",
        default="string",
    ),
    "description": Field(optional(text), "What it is for.", "counts", is_prose=True),
    "enum": Field(
        FieldType(_enum, {"type": "array", "minItems": 1}, "a list of values"),
        "The only values that it may have.",
        "counts",
        default_text="any of its type",
        is_prose=True,
    ),
    "default": Field(
        anything,
        "Its value where none is given.",
        "counts",
        default_text="none: each run has to be given a value",
        is_prose=True,
    ),
}
"""The keys of one input."""

INPUTS = described(json_mapping, "a mapping of inputs by name")


def inputs_schema(of_an_input: JsonSchema) -> JsonSchema:
    """Return the JSON Schema of the key `inputs`; `of_an_input` is that of `INPUT_FIELDS`."""
    short: JsonSchema = {"enum": [*TYPES, None]}
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{_NAME.pattern}$"},
        "additionalProperties": {"anyOf": [short, of_an_input]},
    }


def read_inputs(fields: FieldReader, written: JsonValue) -> tuple[InputSpec, ...]:
    """Return the inputs; what is wrong with them becomes problems of `fields`."""
    if not isinstance(written, dict):
        return ()  # that is a problem already, if it is one
    return tuple(spec for name, value in written.items() if (spec := _read_input(fields, name, value)) is not None)


def _read_input(fields: FieldReader, name: str, written: JsonValue) -> InputSpec | None:
    path = ("inputs", name)
    if not _NAME.fullmatch(name):
        fields.problem(
            f"input `{name[:80]}` must have a name of letters, digits, `_` and `-`, with a letter first",
            path,
            at_key=True,
        )
        return None
    if written is None:
        return InputSpec(name)
    if isinstance(written, str):
        if written not in TYPES:
            near = did_you_mean(written, TYPES)
            fields.problem(
                f"input `{name}` must be a type ({', '.join(TYPES)}) or a mapping",
                path,
                hint=near or f"A text as its default is written `{name}: {{default: …}}`.",
            )
            return None
        written = {"type": written}
    if not isinstance(written, dict):
        fields.problem(f"input `{name}` must be a type or a mapping, not {type_of(written)}", path)
        return None
    before = len(fields.problems)
    values = fields.read(path, written, INPUT_FIELDS, f"input `{name}`")
    if len(fields.problems) > before:
        return None
    plain = InputSpec(name, values.get("type") or "string", values.get("description") or "")
    return _with_values(fields, path, plain, values)


def _with_values(
    fields: FieldReader, path: tuple[str, str], plain: InputSpec, values: dict[str, Any]
) -> InputSpec | None:
    """Return the input with its `enum` and `default`, each of the input's type."""
    allowed: list[JsonValue] = []
    for i, value in enumerate(values.get("enum", ())):
        try:
            allowed.append(value_of(plain, value))
        except WrongInput as e:
            fields.problem(f"each value of `enum` of input `{plain.name}` must be {e}", (*path, "enum", i))
            return None
    spec = InputSpec(plain.name, plain.type, plain.description, tuple(allowed))
    if "default" not in values:
        return spec
    if plain.type == "file" and values["default"] is None:  # none is given then
        return InputSpec(spec.name, spec.type, spec.description, is_required=False)
    try:
        default = value_of(spec, values["default"])
    except WrongInput as e:
        fields.problem(f"`default` of input `{plain.name}` must be {e}", (*path, "default"))
        return None
    return InputSpec(spec.name, spec.type, spec.description, spec.enum, default, is_required=False)
