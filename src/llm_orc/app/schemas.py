"""JSON Schemas (draft 2020-12) of what we read and write, made from the tables that the readers use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from llm_orc.ensembles.schema import AGENT_KINDS, ENSEMBLE_KINDS
from llm_orc.ensembles.words import AGENT_WORDS, ENSEMBLE_WORDS
from llm_orc.formats.json_result import schema as result_schema
from llm_orc.settings.schema import GROUPS, NAMED, PLAIN
from llm_orc.settings.words import SETTING_WORDS
from llm_orc.storage.yaml_fields import schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.yaml_fields import JsonSchema, Kind

SchemaName = Literal["ensemble", "config", "result"]
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(name: SchemaName) -> str:
    """Return the schema as an indented JSON document."""
    if name == "result":
        return result_schema()
    made = ensemble_schema() if name == "ensemble" else config_schema()
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def ensemble_schema() -> JsonSchema:
    """What an ensemble's file may be. Names that don't exist or come twice, and circles, are beyond a schema."""
    agent = _mapping(AGENT_KINDS, AGENT_WORDS)
    agent["required"] = ["name"]
    agent |= _excludes("model_profile", "model", "provider")
    ensemble = _mapping(ENSEMBLE_KINDS, ENSEMBLE_WORDS)
    ensemble["required"] = ["name", "agents"]
    ensemble |= _excludes("task", "default_task")
    properties = ensemble["properties"]
    assert isinstance(properties, dict)
    properties["agents"] = {
        "description": ENSEMBLE_WORDS["agents"],
        "type": "array",
        "minItems": 1,
        "items": agent,
    }
    return {"$schema": _DRAFT, "title": "An ensemble of LLM agents for llm-orc", **ensemble}


def config_schema() -> JsonSchema:
    """What `config.yaml` may be. Sections that nobody knows are ignored with a notice, and so fit."""
    properties: dict[str, JsonValue] = {}
    for section, kinds in NAMED.items():
        properties[section] = {
            "type": ["object", "null"],
            "additionalProperties": _or_nothing(_mapping(kinds, SETTING_WORDS[section])),
        }
    for section, kinds in PLAIN.items():
        properties[section] = _or_nothing(_mapping(kinds, SETTING_WORDS[section]))
    return {
        "$schema": _DRAFT,
        "title": "Settings of llm-orc",
        "type": ["object", "null"],
        "properties": properties,
    }


def _mapping(kinds: Mapping[str, Kind], words: Mapping[str, str]) -> JsonSchema:
    properties: dict[str, JsonValue] = {}
    for key, kind in kinds.items():
        schema = _or_nothing(_mapping(GROUPS[key], SETTING_WORDS[key])) if key in GROUPS else schema_of(kind)
        properties[key] = {"description": words[key], **schema}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _or_nothing(schema: JsonSchema) -> JsonSchema:
    return {**schema, "type": ["object", "null"]}


def _excludes(key: str, *others: str) -> JsonSchema:
    """Where `key` says something, none of `others` may."""
    return {
        "if": {"properties": {key: {"type": "string"}}, "required": [key]},
        "then": {"properties": {other: {"type": "null"} for other in others}},
    }
