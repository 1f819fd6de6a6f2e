"""The items that an agent runs over, when its turn comes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec

from llm_orc.agents.ensemble.given import filled_in
from llm_orc.agents.references.scope import json_in
from llm_orc.agents.references.syntax import parse_template
from llm_orc.errors import ItemsUnusable, ReferenceWithoutValue
from llm_orc.storage.field_types import type_of

if TYPE_CHECKING:
    from llm_orc.agents.fan_out.spec import FanOut
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.jsontypes import JsonValue

_HINT = (
    "It runs over a JSON array, or an object with one as its `data`: ask for one with `schema` or `output: json`."
)


def items_of(spec: AgentSpec, fan_out: FanOut, scope: Scope) -> list[JsonValue]:
    """Return the items, in order. Raises `ItemsUnusable`, `ReferenceWithoutValue`."""
    items = _all_items(spec, fan_out, scope)
    if len(items) > fan_out.max:
        raise ItemsUnusable(
            f"agent `{spec.name}` runs over at most {fan_out.max:,} items, and there are {len(items):,}",
            hint="Raise `max` of its `fan_out`, or make the list shorter.",
        )
    return items


def _all_items(spec: AgentSpec, fan_out: FanOut, scope: Scope) -> list[JsonValue]:
    over = fan_out.over
    if isinstance(over, tuple):
        return [filled_in(one, scope, as_data=True) for one in over]
    if over is None and spec.input_key is not None:
        return _checked(scope.picked(spec), spec, f"the field `{spec.input_key}`")
    if over is None:
        return _listed_by(spec, spec.depends_on[0], scope)
    reference = parse_template(over).references[0]
    target = scope.names.resolve(reference)
    if target.root == "agent" and not target.path and target.name in scope.outputs:
        return _listed_by(spec, target.name, scope)
    return _checked(scope.value_of(reference), spec, f"`{reference}`")


def _checked(value: JsonValue, spec: AgentSpec, what: str) -> list[JsonValue]:
    if not isinstance(value, list):
        raise ItemsUnusable(f"agent `{spec.name}` has no list to run over: {what} is {type_of(value)}")
    return value


def _listed_by(spec: AgentSpec, agent: str, scope: Scope) -> list[JsonValue]:
    output = scope.outputs.get(agent)
    if output is None:
        raise ReferenceWithoutValue(
            f"agent `{spec.name}` has no list to run over: agent `{agent}` {scope.why_absent(agent)}"
        )
    value = _data_of(output)
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    if not isinstance(value, list):
        what = "text" if isinstance(value, str) else type_of(value)
        raise ItemsUnusable(
            f"agent `{spec.name}` has no list to run over: the answer of `{agent}` is {what}", hint=_HINT
        )
    return value


def _data_of(output: AgentOutput) -> JsonValue:
    if output.data is not None:
        return output.data
    try:
        return json_in(output.text)
    except (ValueError, RecursionError):
        return output.text


def digest_of(items: list[JsonValue]) -> str:
    """Return a digest of the whole list, which no item can contain."""
    try:
        encoded = msgspec.json.encode(items)
    except UnicodeEncodeError:  # a lone surrogate
        encoded = json.dumps(items).encode()
    return hashlib.sha256(encoded).hexdigest()
