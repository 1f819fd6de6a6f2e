"""Which keys an ensemble and its agents have, and what each must be.

A row that an untrusted project may set says so (`settings.rights`); every other one needs trust.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, get_args

from llm_orc.agents.base import WhenFull
from llm_orc.settings.model import AuthMethodName
from llm_orc.settings.rights import chooses, lowers, words
from llm_orc.storage.yaml_fields import (
    Described,
    JsonSchema,
    Kind,
    WrongValue,
    boolean,
    choice,
    fits,
    json_mapping,
    non_empty_text,
    number,
    or_nothing,
    text,
    type_of,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue

LONGEST_NAME = 128
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_. -]*[A-Za-z0-9_.-])?")


@fits({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME})
def agent_name(value: JsonValue) -> str:
    name: str = non_empty_text(value)
    if len(name) > LONGEST_NAME:
        raise WrongValue(f"at most {LONGEST_NAME} characters long")
    if not _PLAIN_NAME.fullmatch(name) and not _is_name(name):
        raise WrongValue("made of letters, digits, spaces, `-`, `_` and `.`, with a letter or digit first")
    return name


def _is_name(name: str) -> bool:
    """Letters of any script count, and the marks that some scripts write them with."""
    if name != name.strip() or not (name[0].isalnum() or name[0] == "_"):
        return False
    return all(c.isalnum() or c in " -_." or unicodedata.category(c)[0] == "M" for c in name)


@fits({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": r"^[^/\\~][^/\\]*$"})
def ensemble_name(value: JsonValue) -> str:
    name: str = non_empty_text(value)
    if len(name) > LONGEST_NAME:
        raise WrongValue(f"at most {LONGEST_NAME} characters long")
    if name != name.strip() or not name.isprintable() or "/" in name or "\\" in name or name.startswith("~"):
        raise WrongValue("one line without `/` and `\\`, with no space around it and no `~` first")
    return name


_DEPENDENCY: JsonSchema = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {"agent_name": {"type": "string", "minLength": 1}},
            "required": ["agent_name"],
            "additionalProperties": False,
        },
    ]
}


@fits({"anyOf": [*_DEPENDENCY["anyOf"], {"type": "array", "items": _DEPENDENCY}, {"type": "null"}]})  # type: ignore[misc]
def dependencies(value: JsonValue) -> tuple[str, ...]:
    """Names, or the mappings with `agent_name` of earlier releases; the same name again adds nothing."""
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(_dependency(item) for item in items))


def _dependency(item: JsonValue) -> str:
    if isinstance(item, dict):
        if set(item) != {"agent_name"}:
            raise WrongValue("a list of agents' names, or of mappings with the one key `agent_name`")
        item = item["agent_name"]
    if not isinstance(item, str) or not item:
        raise WrongValue(f"a list of agents' names, not of {type_of(item) if item != '' else 'empty text'}")
    return item


def _optional(kind: Kind) -> Kind:
    """An empty value is as good as none."""

    def read(value: JsonValue) -> Any:
        return None if value is None else kind(value)

    return Described(read, or_nothing(kind))


_TEXT = _optional(text)
_NAME = _optional(non_empty_text)

ENSEMBLE_KINDS: Mapping[str, Kind] = {
    "name": words(ensemble_name),
    "description": words(_TEXT),
    "default_task": words(_TEXT),
    "task": words(_TEXT),
    "conversation": _NAME,
    "max_cost": lowers(_optional(number(0))),
    "max_calls": lowers(_optional(whole_number(0))),
    "when_full": _optional(choice(*get_args(WhenFull))),
    "agents": words(lambda value: value),  # read one by one
}
AGENT_KINDS: Mapping[str, Kind] = {
    "name": words(agent_name),
    "model_profile": chooses(_NAME),
    "model": chooses(_NAME),
    "provider": chooses(_NAME),
    "system_prompt": words(_TEXT),
    "temperature": words(_optional(number(0))),
    "max_tokens": lowers(_optional(whole_number(1))),
    "options": json_mapping,
    "timeout_seconds": lowers(_optional(number(0, above=True))),
    "depends_on": words(dependencies),
    "requires": words(_optional(choice("all", "any", "none"))),
    "fallback_model_profile": chooses(_NAME),
    "output_format": words(_optional(choice("text", "json"))),
    "auth_method": chooses(_optional(choice(*get_args(AuthMethodName)))),
    "conversation": lowers(_optional(boolean)),
}
OTHER_KINDS_OF_AGENT = ("script", "ensemble", "loop", "dispatch", "fan_out", "input_key", "when")

# In the oldest form, `model` names one of these and there is no `provider`.
PROVIDER_NAMES = frozenset(
    {
        "anthropic-api",
        "anthropic-claude-pro-max",
        "claude-cli",
        "codex-cli",
        "google-gemini",
        "huggingface",
        "ollama",
        "openai",
        "openai-compatible",
        "openrouter",
        "sandbox",
    }
)


def names_a_provider(name: str) -> bool:
    return name in PROVIDER_NAMES or name.startswith("openai-compatible/")
