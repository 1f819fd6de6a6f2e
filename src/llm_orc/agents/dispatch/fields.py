"""The keys of an agent that runs one of several ensembles, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.dispatch.work import DispatchWork
from llm_orc.agents.ensemble.kind import GIVEN_FIELDS
from llm_orc.agents.path import can_be_step
from llm_orc.agents.references.syntax import is_special
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import FieldType, WrongValue, type_of
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.kind import AgentKeys
    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.field_types import JsonSchema

_KEYS = ("by", "to", "otherwise")
_NAME: JsonSchema = {"type": "string", "minLength": 1}


def _dispatch(value: JsonValue) -> str | dict[str, JsonValue]:
    if isinstance(value, str) and value.strip():
        return value
    if not isinstance(value, dict):
        raise WrongValue(f"a mapping with `by` and `to`, not {type_of(value)}")
    for key in value:
        if key not in _KEYS:
            needs = f"a mapping with `by`, `to` and `otherwise`, without `{key[:80]}`"
            raise WrongValue(needs, did_you_mean(key, _KEYS), within=key, at_key=True)
    if not _is_text(value.get("by")):
        raise WrongValue("a mapping whose `by` is a text, such as `${router.kind}`")
    to = value.get("to")
    if not isinstance(to, dict) or not to or not all(map(_is_text, to.values())):
        raise WrongValue("a mapping whose `to` has an ensemble for each answer, such as `{legal: legal-panel}`")
    if value.get("otherwise") is not None and not _is_text(value["otherwise"]):
        raise WrongValue("a mapping whose `otherwise` is an ensemble")
    return value


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _choices(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(map(_is_text, value)):
        raise WrongValue("a list of ensembles")
    return tuple(str(one) for one in value)


_MAPPING: JsonSchema = {
    "type": "object",
    "properties": {
        "by": _NAME,
        "to": {"type": "object", "minProperties": 1, "additionalProperties": _NAME},
        "otherwise": {"anyOf": [_NAME, {"type": "null"}]},
    },
    "required": ["by", "to"],
    "additionalProperties": False,
}

DISPATCH_FIELDS: Fields = {
    "dispatch": Field(
        FieldType(_dispatch, {"anyOf": [_MAPPING, _NAME]}, "a mapping with `by`, `to` and `otherwise`"),
        "`by` is a text with references, `to` has an ensemble for each text that it may become, and `otherwise`"
        " one for all others. The older form is a reference alone, with `choices`.",
        "counts",
        required=True,
        is_prose=True,
    ),
    "choices": Field(
        FieldType(_choices, {"type": "array", "minItems": 1, "items": _NAME}, "a list of ensembles"),
        "With the older form of `dispatch`: the ensembles that the reference may name.",
        "counts",
        default_text="those beside the file whose names are in it, or in a script that it runs",
    ),
    **GIVEN_FIELDS,
}


def read_dispatch(keys: AgentKeys) -> DispatchWork:
    values = keys.values
    written, choices = values.get("dispatch"), values.get("choices") or ()
    by, to, otherwise = "", dict.fromkeys(choices, ""), None
    if isinstance(written, dict):
        by, to, otherwise = written["by"], written["to"], written.get("otherwise")
        if choices:
            keys.say("choices", f"agent `{keys.agent}` has both `to` and `choices`", "Keep `to`.")
    elif written is not None:
        by = written
        to = {name: name for name in (choices if choices or is_special(by) else (by,))}
    _check_names(keys, to)
    if otherwise is not None and "otherwise" in to:
        keys.say("dispatch", f"agent `{keys.agent}` has `otherwise` twice", "Give the one in `to` another name.")
    return DispatchWork(by, to, otherwise, values.get("inputs") or {}, values.get("task"))


def _check_names(keys: AgentKeys, to: Mapping[str, str]) -> None:
    for name in to:
        if not name or name != name.strip() or not can_be_step(name):
            message = f"agent `{keys.agent}`: `{name[:80]}` can't be a part of a path"
            keys.say("dispatch", message, "Leave `/`, `[`, `]` and surrounding spaces out of the keys of `to`.")
