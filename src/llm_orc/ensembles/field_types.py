"""The types of value that only ensembles have: names, and what an agent depends on."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from llm_orc.agents.spec import CacheUse
from llm_orc.settings.duration import duration
from llm_orc.storage.field_types import WrongValue, field_type, non_empty_text, type_of
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.field_types import JsonSchema

LONGEST_NAME = 128  # characters
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_. -]*[A-Za-z0-9_.-])?")


@field_type({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}, "a name")
def agent_name(value: JsonValue) -> str:
    name = non_empty_text(value)
    if len(name) > LONGEST_NAME:
        raise WrongValue(f"at most {LONGEST_NAME} characters long")
    if not _PLAIN_NAME.fullmatch(name) and not _is_name(name):
        hint = "Brackets are for the items of an agent: `NAME[0]`." if "[" in name else None
        raise WrongValue("made of letters, digits, spaces, `-`, `_` and `.`, with a letter or digit first", hint)
    return name


def _is_name(name: str) -> bool:
    """True for letters of any script, and the combining marks that some scripts use."""
    if name != name.strip() or not (name[0].isalnum() or name[0] == "_"):
        return False
    return all(c.isalnum() or c in " -_." or unicodedata.category(c)[0] == "M" for c in name)


@field_type(
    {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": r"^[^/\\~][^/\\]*$"}, "a name"
)
def ensemble_name(value: JsonValue) -> str:
    name = non_empty_text(value)
    if len(name) > LONGEST_NAME:
        raise WrongValue(f"at most {LONGEST_NAME} characters long")
    if name != name.strip() or not name.isprintable() or "/" in name or "\\" in name or name.startswith("~"):
        raise WrongValue("one line without `/` and `\\`, without surrounding spaces or a leading `~`")
    return name


@field_type(
    {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": {"type": "string", "minLength": 1}},
            {"type": "null"},
        ]
    },
    "a list of files",
)
def attachments(value: JsonValue) -> tuple[str, ...] | None:
    """References and paths; one alone needs no list."""
    if value is None:
        return None
    return tuple(non_empty_text(one) for one in (value if isinstance(value, list) else [value]))


_REQUIRES = ("all", "any", "none")


@field_type(
    {"anyOf": [{"enum": [*_REQUIRES]}, {"type": "integer", "minimum": 1}]},
    "`all`, `any`, `none` or a whole number, at least 1",
)
def requires(value: JsonValue) -> str | int:
    """How many of the needed agents must have answered: a word, or a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise WrongValue("at least 1", "`none` lets the agent run without any answer.")
        return value
    if isinstance(value, str) and value in _REQUIRES:
        return value
    question = did_you_mean(value, _REQUIRES) if isinstance(value, str) else None
    raise WrongValue("`all`, `any`, `none` or a whole number", question)


@field_type(
    {
        "anyOf": [
            {"type": "boolean"},
            {
                "type": "object",
                "properties": {"for": duration.schema},
                "required": ["for"],
                "additionalProperties": False,
            },
        ]
    },
    "`true`, `false` or `{for: DURATION}`",
)
def cache_use(value: JsonValue) -> CacheUse | None:
    """Whether answers of before are given again, and how old they may be."""
    if isinstance(value, bool):
        return CacheUse() if value else None
    needs, hint = "`true`, `false` or `{for: DURATION}`", "As in `cache: {for: 30d}`."
    if not isinstance(value, dict) or not value:
        raise WrongValue(needs, hint)
    if other := next((key for key in value if key != "for"), None):
        raise WrongValue(f"{needs}; it has `{other[:80]}`", hint, within=other, at_key=True)
    try:
        return CacheUse(duration(value["for"]))
    except WrongValue as e:
        raise WrongValue(f"a mapping whose `for` is {e.needs}", within="for") from None


_NAME: JsonSchema = {"type": "string", "minLength": 1}
_NAMED: JsonSchema = {
    "type": "object",
    "properties": {"agent_name": _NAME},
    "required": ["agent_name"],
    "additionalProperties": False,
}


@field_type(
    {"anyOf": [_NAME, _NAMED, {"type": "array", "items": {"anyOf": [_NAME, _NAMED]}}, {"type": "null"}]},
    "the name of an agent, or a list of names",
)
def dependencies(value: JsonValue) -> tuple[str, ...]:
    """Names, or the mappings with `agent_name` of earlier releases; a repeated name is ignored."""
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
