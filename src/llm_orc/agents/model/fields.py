"""The keys of an agent that is a language model: one row each."""

from __future__ import annotations

from llm_orc.catalog.table import method_names
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import (
    choice,
    choice_of,
    json_mapping,
    non_empty_text,
    number,
    optional,
    text,
    whole_number,
)

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
    "output_format": Field(
        optional(choice("text", "json")), "`json` asks the model for JSON.", "counts", default="text"
    ),
    "auth_method": Field(
        optional(choice_of(method_names)),
        "The only auth method to use.",
        "chooses",
        default_text="as the provider prefers",
    ),
}
