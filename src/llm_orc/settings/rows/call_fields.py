"""The keys below `providers.<name>.calls`: what the calls of a provider must be like."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from llm_orc.catalog.call_rules import ErrorMeaning
from llm_orc.settings.field import Field, Fields
from llm_orc.settings.types.oauth import iso_date, web_page
from llm_orc.settings.types.values import names
from llm_orc.storage.field_types import (
    FieldType,
    boolean,
    choice,
    json_mapping,
    non_empty_text,
    optional,
    text,
)

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_meaning = choice(*get_args(ErrorMeaning))


def _meanings(value: JsonValue) -> dict[str, str]:
    return {code: _meaning(meaning) for code, meaning in json_mapping(value).items()}


_error_codes = FieldType(
    _meanings,
    {"type": ["object", "null"], "additionalProperties": _meaning.schema},
    f"a mapping of codes to {_meaning.description}",
    "mapping",
)

CALL_FIELDS: Fields = {
    "always_stream": Field(
        optional(boolean),
        "Whether every request asks for a stream, because the provider answers no other.",
        default_text="as the provider requires",
    ),
    "leave_out": Field(
        optional(names),
        "The fields that the provider refuses in a request, so that they are not sent.",
        default_text="as the provider requires",
    ),
    "caches_by_key": Field(
        optional(boolean),
        "Whether conversations have a `prompt_cache_key`, with which the provider finds them in its cache.",
        default_text="as the provider takes it",
    ),
    "only_completed": Field(
        optional(boolean),
        "Whether an answer that ended early, as at a limit of tokens, is a failure.",
        default_text="as the provider requires",
    ),
    "errors": Field(_error_codes, "What the provider's own error codes mean; merged key by key."),
    "own_machine_only": Field(
        optional(non_empty_text),
        "Why it may only be called from your own machine, and not by shared workers and servers.",
        default_text="it may be called from anywhere",
        is_prose=True,
    ),
    "terms_page": Field(optional(web_page), "The page where the provider says so."),
}

INTERACTIVE_FIELDS: Fields = {
    "reason": Field(optional(text), "Why; without it the key has no effect.", is_prose=True),
    "link": Field(optional(web_page), "The provider's page that says so."),
    "date": Field(optional(iso_date), "The day on which that page said so."),
}
