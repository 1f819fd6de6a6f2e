"""JSON Schemas (draft 2020-12) of our files, generated from the rows that the readers use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from llm_orc.agents.kinds import KINDS
from llm_orc.agents.model.kind import MODEL
from llm_orc.ensembles.fields import ENSEMBLE_FIELDS, FRAME_FIELDS
from llm_orc.ensembles.inputs import inputs_schema
from llm_orc.formats.json_result import schema as result_schema
from llm_orc.settings.fields import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.field import Field
    from llm_orc.storage.field_types import JsonSchema

SchemaName = Literal["ensemble", "config", "result"]
_AGENT: dict[str, str] = {"$ref": "#/$defs/agent"}
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(name: SchemaName) -> str:
    """Return the schema as an indented JSON document."""
    if name == "result":
        return result_schema()
    made = ensemble_schema() if name == "ensemble" else config_schema()
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def ensemble_schema() -> JsonSchema:
    """Return the schema of an ensemble's file. It can't express unknown or duplicate names, and cycles."""
    ensemble = _mapping(ENSEMBLE_FIELDS) | _excludes("task", "default_task")
    properties = ensemble["properties"]
    assert isinstance(properties, dict)
    properties["agents"] = {
        "description": _description(ENSEMBLE_FIELDS["agents"]),
        "type": "array",
        "minItems": 1,
        "items": _AGENT,
    }
    title: JsonSchema = {"$schema": _DRAFT, "title": "An ensemble of LLM agents for llm-orc"}
    return {**title, **ensemble, "$defs": {"agent": _agent_schema()}}


def _agent_schema() -> JsonSchema:
    """Return the schema of an agent: its kind has a key that no other kind has, else it is a language model."""
    schema = _mapping({**FRAME_FIELDS, **MODEL.fields}) | _excludes("model_profile", "model", "provider")
    for key, kind in KINDS.items():
        if kind is not MODEL:
            has_key: JsonSchema = {"required": [key]}
            schema = {"if": has_key, "then": _mapping({**FRAME_FIELDS, **kind.fields}), "else": schema}
    return {**schema, "allOf": [_input_key_alone()]}


def _input_key_alone() -> JsonSchema:
    """With `input_key` an agent depends on others, and nothing else says what it is given."""
    alone = _excludes("input_key", "prompt", "stdin", "task", "sees", "input_scope")
    then = alone["then"]
    assert isinstance(then, dict)
    assert isinstance(then["properties"], dict)
    then["properties"]["depends_on"] = {"not": {"enum": [None, [], ""]}}
    return {**alone, "then": {**then, "required": ["depends_on"]}}


def config_schema() -> JsonSchema:
    """Return the schema of `config.yaml`. Unknown sections are allowed: they are ignored with a notice."""
    properties: dict[str, JsonValue] = {}
    for name, section in SECTIONS.items():
        content = _or_nothing(_mapping(section.fields))
        if section.of_each is not None:
            content = {"type": ["object", "null"], "additionalProperties": section.of_each.type.schema}
        properties[name] = (
            {"type": ["object", "null"], "additionalProperties": content} if section.is_named else content
        )
    return {
        "$schema": _DRAFT,
        "title": "Settings of llm-orc",
        "type": ["object", "null"],
        "properties": properties,
    }


def _mapping(fields: Mapping[str, Field]) -> JsonSchema:
    properties: dict[str, JsonValue] = {}
    for key, field in fields.items():
        schema = field.type.schema
        if field.fields:
            schema = _mapping(field.fields) if field.required else _or_nothing(_mapping(field.fields))
            if (short := field.type.schema).get("type") == "string":  # a text alone stands for one of its keys
                schema = {"anyOf": [short, schema]}
        if field.type.holds == "agents":
            schema = {**schema, "items": _AGENT}
        if field.of_each:
            schema = inputs_schema(_mapping(field.of_each))
        default: JsonSchema = {} if field.default is None else {"default": field.default}
        properties[key] = {"description": _description(field), **schema, **default}
    mapping: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    required: list[JsonValue] = [key for key, field in fields.items() if field.required]
    return {**mapping, "required": required} if required else mapping


def _description(field: Field) -> str:
    return f"{field.description} Default: {field.default_text}." if field.default_text else field.description


def _or_nothing(schema: JsonSchema) -> JsonSchema:
    return {**schema, "type": ["object", "null"]}


def _excludes(key: str, *others: str) -> JsonSchema:
    """If `key` is set, none of `others` may be."""
    return {
        "if": {"properties": {key: {"type": "string"}}, "required": [key]},
        "then": {"properties": {other: {"type": "null"} for other in others}},
    }
