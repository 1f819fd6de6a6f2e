"""The keys of an agent that is a language model: one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.model.evidence import evidence
from llm_orc.agents.schema.read import response_format, schema_value
from llm_orc.agents.tools.names import tool_names
from llm_orc.agents.work import DEFAULT_MAX_TURNS, DEFAULT_REPAIRS
from llm_orc.catalog.table import method_names
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import (
    WrongValue,
    choice,
    choice_of,
    field_type,
    json_mapping,
    non_empty_text,
    number,
    optional,
    text,
    whole_number,
)

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_MOST_REPAIRS = 10


@field_type({"type": "integer", "minimum": 0, "maximum": _MOST_REPAIRS}, f"a whole number up to {_MOST_REPAIRS}")
def _repairs(value: JsonValue) -> int:
    number = whole_number(0)(value)
    if number > _MOST_REPAIRS:
        raise WrongValue(f"at most {_MOST_REPAIRS}")
    return number


MODEL_FIELDS: Fields = {
    "model_profile": Field(
        optional(non_empty_text),
        "The name of a model profile; not together with `model` or `provider`.",
        "chooses",
        default_text="`default`, if no model is named at all",
    ),
    "model": Field(
        optional(non_empty_text),
        "The model's id at its provider; without `provider`, the name of a provider.",
        "chooses",
        default_text="the provider's default",
    ),
    "provider": Field(
        optional(non_empty_text),
        "The name of a provider, e.g. `anthropic-api`, `openai`, `google-gemini` or `ollama`.",
        "chooses",
    ),
    "system_prompt": Field(
        optional(text),
        "The agent's role. References in it, `${…}`, are filled in.",
        "counts",
        default_text="the profile's",
        is_prose=True,
    ),
    "prompt": Field(
        optional(non_empty_text),
        "What the agent is asked, with references: `${task}`, `${inputs.NAME}`, `${AGENT}`, `${AGENT.FIELD}`.",
        "counts",
        default_text="the task and the answers of `depends_on`",
        is_prose=True,
    ),
    "temperature": Field(
        optional(number(0)),
        "How freely the model chooses its words.",
        "counts",
        default_text="the profile's, else the provider's",
    ),
    "max_tokens": Field(
        optional(whole_number(1)),
        "The longest answer, in tokens.",
        "lowers",
        default_text="the profile's, else the provider's",
    ),
    "options": Field(
        json_mapping,
        "Sampling options for the provider's request, added to the profile's key by key.",
        default_text="the profile's",
        is_prose=True,
    ),
    "fallback_model_profile": Field(
        optional(non_empty_text),
        "The profile to use if the model fails.",
        "chooses",
        default_text="the profile's",
    ),
    "schema": Field(
        optional(schema_value),
        "What the answer has to be: fields with their types, `{title: string, tags: [string], verdict: [pass,"
        " fail]}`, or a JSON Schema (2020-12), or the name of a file with one, relative to this one. The"
        " answer is data then, checked here whatever the provider does.",
        "counts",
        is_prose=True,
    ),
    "repairs": Field(
        optional(_repairs),
        "How often an answer that does not satisfy the schema is sent back with what is wrong.",
        "counts",
        default=DEFAULT_REPAIRS,
    ),
    "evidence": Field(
        evidence,
        "With `schema`: the fields of the answer that are quotes, each with what it quotes: `{quote: '${task}'}`."
        " Lists are looked through (`findings.quote`), and several sources are a list. An answer with a quote that"
        " does not occur in them is sent back. If there is one after the last repair, the agent fails; with `{in:"
        " '${task}', otherwise: drop}`, the item of the list that has it is left out.",
        "counts",
        default_text="nothing is looked up",
        is_prose=True,
    ),
    "tools": Field(
        optional(tool_names),
        "What the model may call before it answers: `files.read`, `web.fetch`, `mcp.SERVER.TOOL`, `run.NAME`,"
        " `ensemble.NAME`.",
        "runs",
        default_text="none",
    ),
    "max_turns": Field(
        optional(whole_number(1)),
        "With `tools`: how often the model is asked at most. If it asks for tools in the last of these turns, the"
        " agent fails.",
        "counts",
        default=DEFAULT_MAX_TURNS,
    ),
    "response_format": Field(
        optional(response_format),
        "An older spelling of `schema`: `json`, or a mapping with `json_schema`.",
        "counts",
        is_prose=True,
    ),
    "output_format": Field(
        optional(choice("text", "json")),
        "`json` asks the model for JSON of any kind; `schema` says which.",
        "counts",
        default="text",
    ),
    "auth_method": Field(
        optional(choice_of(method_names)),
        "The only auth method to use.",
        "chooses",
        default_text="as the provider prefers",
    ),
}
