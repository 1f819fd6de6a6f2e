"""How the key `evidence` is read, and checked by the schema of the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.agents.evidence.spec import Evidence
from llm_orc.agents.references.syntax import ONE_REFERENCE, is_reference
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import SpecProblem
from llm_orc.schemas.shape import NoSuchField, shape_of
from llm_orc.storage.field_types import WrongValue, field_type, type_of
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.agents.evidence.spec import WithoutEvidence
    from llm_orc.agents.kind import AgentKeys
    from llm_orc.agents.work import ModelWork
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.shape import Shape
    from llm_orc.schemas.walk import Schema
    from llm_orc.storage.field_types import JsonSchema

_FIELD = re.compile(r"[^\s.\[\]]+(\.[^\s.\[\]]+)*")
_KEYS = ("in", "otherwise")
_OTHERWISE: tuple[WithoutEvidence, ...] = ("fail", "drop")
_DEEPEST = 8  # lists in lists
_EXAMPLE = '`{quote: "${task}"}`'
_NEEDS = f"a mapping of fields to what they quote, such as {_EXAMPLE}"
_REFERENCE: JsonSchema = {"type": "string", "pattern": ONE_REFERENCE}
_SOURCES: JsonSchema = {"anyOf": [_REFERENCE, {"type": "array", "items": _REFERENCE, "minItems": 1}]}
_OF_FIELD: JsonSchema = {
    "anyOf": [
        _SOURCES,
        {
            "type": "object",
            "properties": {"in": _SOURCES, "otherwise": {"enum": [*_OTHERWISE]}},
            "required": ["in"],
            "additionalProperties": False,
        },
    ]
}


@field_type(
    {
        "type": ["object", "null"],
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{_FIELD.pattern}$"},
        "additionalProperties": _OF_FIELD,
    },
    _NEEDS,
)
def evidence(value: JsonValue) -> tuple[Evidence, ...]:
    if value is None:
        return ()
    if not isinstance(value, dict) or not value:
        raise WrongValue(f"{_NEEDS}, not {type_of(value) if value != {} else 'an empty one'}")
    return tuple(_of_field(field, written) for field, written in value.items())


def _of_field(field: str, written: JsonValue) -> Evidence:
    if not _FIELD.fullmatch(field):
        raise WrongValue(f"{_NEEDS}; `{field[:80]}` names no field", within=field, at_key=True)
    if not isinstance(written, dict):
        return Evidence(field, _sources(field, written))
    for key in written:
        if key not in _KEYS:
            needs = f"a mapping whose `{field}` has `in` and `otherwise`, not `{key[:80]}`"
            raise WrongValue(needs, did_you_mean(key, _KEYS), within=field)
    otherwise = written.get("otherwise", "fail")
    if otherwise not in _OTHERWISE:
        hint = did_you_mean(otherwise, _OTHERWISE) if isinstance(otherwise, str) else None
        raise WrongValue(f"a mapping in which `otherwise` of `{field}` is `fail` or `drop`", hint, within=field)
    return Evidence(field, _sources(field, written.get("in")), "drop" if otherwise == "drop" else "fail")


def _sources(field: str, written: JsonValue) -> tuple[str, ...]:
    listed = written if isinstance(written, list) else [written]
    sources = tuple(one.strip() for one in listed if isinstance(one, str) and is_reference(one))
    if not sources or len(sources) != len(listed):
        needs = f"a mapping in which `{field}` has what it quotes: a reference, or a list of some"
        raise WrongValue(needs, "Name it, such as `${task}`, `${inputs.NAME}` or `${AGENT}`.", within=field)
    return sources


def texts_of_evidence(evidence: Sequence[Evidence]) -> Iterator[Text]:
    """Yield the sources as texts of the agent."""
    for one in evidence:
        for key, source in zip(one.keys, one.sources, strict=True):
            yield Text(key, source, reader="evidence")


def read_evidence(keys: AgentKeys, schema: Schema | None) -> tuple[Evidence, ...]:
    """Return what the file says; none where its schema has problems of its own, which are told already."""
    found: tuple[Evidence, ...] = keys.values.get("evidence") or ()
    has_none = keys.values.get("schema") is None and keys.values.get("response_format") is None
    return found if schema is not None or has_none else ()


def evidence_problems(agent: str, work: ModelWork) -> Iterator[SpecProblem]:
    """Yield what of the evidence doesn't fit the schema."""
    if work.evidence and work.schema is None:
        message = f"agent `{agent}` has `evidence`, and no `schema` with the fields that are quotes"
        yield SpecProblem("evidence", message, "Add `schema: {…, quote: string}`.")
        return
    for one in work.evidence:
        for message, hint in _of_field_in(work.schema or {}, one):
            yield SpecProblem("evidence", f"`evidence` of agent `{agent}` {message}", hint, (one.field,))


def _of_field_in(schema: Schema, one: Evidence) -> Iterator[tuple[str, str | None]]:
    try:
        shape, in_list = _at(shape_of(schema), one.steps)
    except NoSuchField as e:
        listed = f"Its fields are {', '.join(f'`{name}`' for name in e.known)}." if e.known else None
        yield f"names `{e.step}`, which its schema does not have", did_you_mean(e.step, e.known) or listed
        return
    if shape.types and "string" not in shape.types:
        types = " or ".join(f"`{name}`" for name in sorted(shape.types))
        yield f"names `{one.field}`, which is of the type {types}, and a quote is text", None
    if one.otherwise == "drop" and not in_list:
        yield f"can't drop anything: `{one.field}` is in no list", "Remove `otherwise: drop`."


def _at(shape: Shape, steps: Sequence[str]) -> tuple[Shape, bool]:
    """Return the field, in the items of the lists on the way, and whether there are or may be lists."""
    shape, in_list = _in_items(shape, is_known=False)
    for step in steps:
        shape, in_list = _in_items(shape.at([step]), is_known=in_list)
    return shape, in_list or not shape.types


def _in_items(shape: Shape, *, is_known: bool) -> tuple[Shape, bool]:
    for _ in range(_DEEPEST):
        if "array" not in shape.types:
            break
        shape, is_known = shape.at(["0"]), True
    return shape, is_known
