"""How the keys `fan_out`, `samples` and `vote` are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.references.names import INDEX
from llm_orc.agents.references.syntax import ONE_REFERENCE, is_reference, is_special
from llm_orc.agents.samples.spec import CHOOSE, Judge, Samples
from llm_orc.storage.field_types import WrongValue, field_type, type_of
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.field_types import JsonSchema

_KEYS = ("over", "as", "max", "max_concurrent", "on_item_failure")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = frozenset({"task", "inputs", "run", "last", "round", INDEX})
_EXAMPLE = '`{over: "${split.parts}"}`'
_AT_LEAST_ONE: JsonSchema = {"type": ["integer", "null"], "minimum": 1}
_MAPPING: JsonSchema = {
    "type": "object",
    "properties": {
        "over": {"anyOf": [{"type": "string", "pattern": ONE_REFERENCE}, {"type": "array"}]},
        "as": {
            "type": ["string", "null"],
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "not": {"enum": [*sorted(_TAKEN)]},
        },
        "max": _AT_LEAST_ONE,
        "max_concurrent": _AT_LEAST_ONE,
        "on_item_failure": {"enum": ["keep", "fail", None]},
    },
    "required": ["over"],
    "additionalProperties": False,
}


@field_type({"anyOf": [_MAPPING, {"type": ["boolean", "null"]}]}, f"`true`, or a mapping such as {_EXAMPLE}")
def fan_out(value: JsonValue) -> FanOut | None:
    if value is None or isinstance(value, bool):
        return FanOut() if value else None
    if not isinstance(value, dict):
        raise WrongValue(f"`true`, or a mapping such as {_EXAMPLE}, not {type_of(value)}")
    for key in value:
        if key not in _KEYS:
            raise WrongValue(
                f"a mapping with {_listed()}; it has `{key[:80]}`",
                did_you_mean(key, _KEYS),
                within=key,
                at_key=True,
            )
    failure = value.get("on_item_failure")
    if failure is not None and failure not in {"keep", "fail"}:
        hint = did_you_mean(failure, ("keep", "fail")) if isinstance(failure, str) else None
        raise WrongValue("a mapping whose `on_item_failure` is `keep` or `fail`", hint, within="on_item_failure")
    most = _number(value, "max")
    return FanOut(
        over=_over(value.get("over")),
        name=_name(value.get("as")),
        max=FanOut().max if most is None else most,
        max_concurrent=_number(value, "max_concurrent"),
        on_item_failure="fail" if failure == "fail" else "keep",
    )


def _listed() -> str:
    return f"{', '.join(f'`{key}`' for key in _KEYS[:-1])} and `{_KEYS[-1]}`"


def _over(value: JsonValue) -> str | tuple[JsonValue, ...]:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and is_reference(value):
        return value.strip()
    needs = "a mapping whose `over` is one reference, such as `${split.parts}`, or a list of items"
    raise WrongValue(needs, within="over")


def _name(value: JsonValue) -> str:
    if value is None:
        return FanOut().name
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise WrongValue("a mapping whose `as` is one word of letters, digits and `_`", within="as")
    if value in _TAKEN:
        needs = f"a mapping whose `as` is another word than `{value}`, which is taken in references"
        raise WrongValue(needs, within="as")
    return value


def _number(value: dict[str, JsonValue], key: str) -> int | None:
    found = value.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise WrongValue(f"a mapping whose `{key}` is a whole number, at least 1", within=key)
    return found


_OF_SAMPLES = ("max", "ahead")
_SEVERAL: JsonSchema = {"type": "integer", "minimum": 2}
_VOTE = re.compile(r"[^\s.\[\]]+(\.[^\s.\[\]]+)*")


@field_type(
    {
        "anyOf": [
            _SEVERAL,
            {
                "type": "object",
                "properties": {"max": _SEVERAL, "ahead": _AT_LEAST_ONE},
                "required": ["max"],
                "additionalProperties": False,
            },
            {"type": "null"},
        ]
    },
    "a whole number, at least 2, or a mapping such as `{max: 15, ahead: 3}`",
)
def samples(value: JsonValue) -> Samples | None:
    if value is None:
        return None
    given: dict[str, JsonValue] = value if isinstance(value, dict) else {"max": value}
    for key in given:
        if key not in _OF_SAMPLES:
            needs = f"a number, or a mapping with `max` and `ahead`; it has `{key[:80]}`"
            raise WrongValue(needs, did_you_mean(key, _OF_SAMPLES), within=key, at_key=True)
    most, ahead = given.get("max"), given.get("ahead")
    if isinstance(most, bool) or not isinstance(most, int) or most < 2:
        within = "max" if "max" in given and given is value else ""
        raise WrongValue("a whole number, at least 2, or a mapping such as `{max: 15, ahead: 3}`", within=within)
    if ahead is not None and (isinstance(ahead, bool) or not isinstance(ahead, int) or not 1 <= ahead <= most):
        raise WrongValue("a mapping whose `ahead` is a whole number from 1 to `max`", within="ahead")
    return Samples(most, ahead)


_OF_JUDGE = ("choose", "by")
_VOTES = "`whole`, the name of a field of the answer, such as `verdict`, `choose`, or `{choose: PROFILE}`"


@field_type(
    {
        "anyOf": [
            {"type": ["string", "null"], "pattern": f"^{_VOTE.pattern}$"},
            {
                "type": "object",
                "properties": {
                    "choose": {"type": "string", "pattern": r"\S"},
                    "by": {"type": ["string", "null"], "not": {"type": "string", "pattern": r"\$\{"}},
                },
                "required": ["choose"],
                "additionalProperties": False,
            },
        ]
    },
    _VOTES,
)
def vote(value: JsonValue) -> str | Judge | None:
    if isinstance(value, dict):
        return _judge(value)
    if value == CHOOSE:
        return Judge()
    if value is None or (isinstance(value, str) and _VOTE.fullmatch(value)):
        return value
    raise WrongValue(_VOTES)


def _judge(value: dict[str, JsonValue]) -> Judge:
    for key in value:
        if key not in _OF_JUDGE:
            needs = f"{_VOTES}; it has `{key[:80]}`"
            raise WrongValue(needs, did_you_mean(key, _OF_JUDGE), within=key, at_key=True)
    profile, by = value.get("choose"), value.get("by")
    if not isinstance(profile, str) or not profile.strip():
        raise WrongValue("a mapping whose `choose` is the name of the judge's model profile", within="choose")
    if by is not None and not isinstance(by, str):
        raise WrongValue("a mapping whose `by` says which answer is the best", within="by")
    if by and is_special(by):
        needs = "a mapping whose `by` has no references: the judge is given the question as it was asked"
        raise WrongValue(needs, within="by")
    return Judge(profile, by or "")
