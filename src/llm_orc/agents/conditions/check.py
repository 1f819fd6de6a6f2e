"""Find comparisons that can never be what their author means, from what is known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from llm_orc.agents.conditions.syntax import (
    BadCondition,
    Both,
    Compare,
    Constant,
    Either,
    IsSet,
    ListOf,
    Not,
    Size,
    Value,
)
from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.references.names import ROUND, Names
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.schemas.shape import shape_of
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.conditions.syntax import Condition, Node
    from llm_orc.agents.inputs.spec import InputSpec
    from llm_orc.agents.references.names import Target
    from llm_orc.schemas.shape import Shape

Answers = Literal["text", "data", "unknown"]
"""What the answers of an agent are, if it is known."""
AnswerFields = Mapping[str, tuple[JsonValue, ...]]
"""The fields that the answers of an agent have, with the only values of each; empty: it may have any.

The field without a name is the whole answer. An empty mapping: nothing is known.
"""
Type = Literal["text", "number", "true or false", "null", "list", "mapping"]
ANY: frozenset[Type] = frozenset({"text", "number", "true or false", "null", "list", "mapping"})
_OF_INPUT: Mapping[str, frozenset[Type]] = {
    "string": frozenset({"text"}),
    "integer": frozenset({"number"}),
    "number": frozenset({"number"}),
    "boolean": frozenset({"true or false"}),
    "array": frozenset({"list"}),
    "object": frozenset({"mapping"}),
    "file": frozenset({"mapping"}),
    "files": frozenset({"list"}),
}
_OF_SCHEMA: Mapping[str, Type] = {
    "string": "text",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "mapping",
}
_BOOLEAN: frozenset[Type] = frozenset({"true or false"})
_ORDERED: frozenset[Type] = frozenset({"text", "number"})
_WORDS: Mapping[Type, str] = {
    "text": "text",
    "number": "a number",
    "true or false": "`true` or `false`",
    "null": "`null`",
    "list": "a list",
    "mapping": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Checker:
    """`answers` says what the answers of each agent are, `fields` what is in them."""

    names: Names
    answers: Mapping[str, Answers]
    fields: Mapping[str, AnswerFields] = field(default_factory=dict)

    def problems(self, condition: Condition) -> list[BadCondition]:
        """Return what is wrong with the condition, as far as it is known. Its references have to resolve."""
        return [*self._of_truth(condition.root)]

    def _of_truth(self, node: Node) -> Iterator[BadCondition]:
        """Problems of a part that has to be true or false."""
        match node:
            case Both(left=left, right=right) | Either(left=left, right=right):
                yield from self._of_truth(left)
                yield from self._of_truth(right)
            case Not(of=of):
                yield from self._of_truth(of)
            case IsSet(reference=reference):
                values = self._values_of_answer(self.names.resolve(reference))
                if values:
                    name = reference.name
                    yield BadCondition(
                        f"`{name}` is always set, so this is true whatever the answer is",
                        node.start,
                        node.end,
                        f"Compare it: `${{{name}}} == '{as_text(values[0])}'`.",
                    )
            case _:
                yield from self._of_value(node)
                if _BOOLEAN.isdisjoint(types := self._types(node)):
                    yield BadCondition(
                        f"{_listed(types)} is neither true nor false",
                        node.start,
                        node.end,
                        "Compare it: `… == …`.",
                    )

    def _of_value(self, node: Node) -> Iterator[BadCondition]:
        match node:
            case Compare():
                yield from self._of_value(node.left)
                yield from self._of_value(node.right)
                if (problem := self._compared(node)) is not None:
                    yield problem
            case Not() | Both() | Either():
                yield from self._of_truth(node)
            case Size(of=of):
                yield from self._of_value(of)
                if self._types(of).isdisjoint({"text", "list", "mapping"}):
                    yield BadCondition(f"{_listed(self._types(of))} has no size", node.start, node.end)
            case ListOf(items=items):
                for item in items:
                    yield from self._of_value(item)
            case _:
                return

    def _compared(self, node: Compare) -> BadCondition | None:
        left, right = self._types(node.left), self._types(node.right)
        if isinstance(node.left, Constant) and isinstance(node.right, Constant):
            return _problem(node, "compares two constants, so it is always the same")
        return self._with_free_text(node) or self._of_types(node, left, right)

    def _with_free_text(self, node: Compare) -> BadCondition | None:
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if (
                self._is_free_text(one)
                and isinstance(other, Constant | ListOf)
                and node.operator in {"==", "!=", "in"}
            ):
                assert isinstance(one, Value)
                name = one.reference.name
                return _problem(
                    node,
                    f"compares all that `{name}` says, which is free text",
                    f"Give it a `schema`, `{{verdict: [yes, no]}}`, and compare `${{{name}.verdict}} == 'yes'`.",
                )
        return None

    def _of_types(self, node: Compare, left: frozenset[Type], right: frozenset[Type]) -> BadCondition | None:
        if node.operator == "in":
            return self._within(node, left, right)
        if node.operator not in {"==", "!="}:
            if left.isdisjoint(_ORDERED) or right.isdisjoint(_ORDERED) or left.isdisjoint(right):
                return _problem(node, f"compares {_listed(left)} with {_listed(right)}")
            return None
        if left.isdisjoint(right) and "null" not in left | right:
            return _problem(node, f"compares {_listed(left)} with {_listed(right)}, which are never equal")
        return self._outside_of_enum(node.left, [node.right]) or self._outside_of_enum(node.right, [node.left])

    def _within(self, node: Compare, left: frozenset[Type], right: frozenset[Type]) -> BadCondition | None:
        if right.isdisjoint({"list", "mapping"}):
            return _problem(node, f"looks for something in {_listed(right)}", "`in` looks in a list or a mapping.")
        if right == {"mapping"} and "text" not in left:
            return _problem(node, f"looks for {_listed(left)} among the names of a mapping, which are text")
        if isinstance(node.right, ListOf):
            items = [self._types(item) for item in node.right.items]
            if all(left.isdisjoint(item) for item in items):
                return _problem(node, f"looks for {_listed(left)} in a list that has none")
            return self._outside_of_enum(node.left, [*node.right.items])
        return None

    def _outside_of_enum(self, node: Node, others: list[Node]) -> BadCondition | None:
        what, values = self._only_values(node)
        if not values:
            return None
        for other in others:
            if isinstance(other, Constant) and other.value is not None and other.value not in values:
                shown, allowed = as_text(other.value), [as_text(value) for value in values]
                hint = did_you_mean(shown, allowed) or f"It is one of: {', '.join(f'`{one}`' for one in allowed)}."
                return BadCondition(f"{what} is never `{shown}`", other.start, other.end, hint)
        return None

    def _only_values(self, node: Node) -> tuple[str, tuple[JsonValue, ...]]:
        """Return what the node is, in words, and the only values that it may have; empty: any."""
        if (spec := self._input(node)) is not None:
            return f"input `{spec.name}`", spec.enum
        if not isinstance(node, Value):
            return "", ()
        return f"`{node.reference.name}`", self._values_of_answer(self.names.resolve(node.reference))

    def _values_of_answer(self, target: Target) -> tuple[JsonValue, ...]:
        known = self.fields.get(target.name, {}) if target.is_of_own_agent else {}
        if values := known.get(".".join(target.path), ()):
            return values
        shape = self._shape(target)
        return () if shape is None else shape.values

    def _shape(self, target: Target) -> Shape | None:
        """Return what is known of an answer, or a field of it, by the schema of its agent."""
        schema = self.names.schema_of(target.name) if target.is_of_own_agent else None
        return None if schema is None else shape_of(schema).at(target.path)

    def _input(self, node: Node) -> InputSpec | None:
        if not isinstance(node, Value):
            return None
        target, names = self.names.resolve(node.reference), self.names
        for _ in range(target.up):
            names = names.around or names
        return names.inputs.get(target.name) if target.root == "inputs" and not target.path else None

    def _is_free_text(self, node: Node) -> bool:
        if not isinstance(node, Value):
            return False
        target = self.names.resolve(node.reference)
        return target.is_of_own_agent and not target.path and self.answers.get(target.name) == "text"

    def _types(self, node: Node) -> frozenset[Type]:
        match node:
            case Constant(value=value):
                return frozenset({type_of(value)})
            case ListOf():
                return frozenset({"list"})
            case Size():
                return frozenset({"number"})
            case Value():
                return self._types_of_value(node)
            case _:
                return _BOOLEAN

    def _types_of_value(self, node: Value) -> frozenset[Type]:
        target = self.names.resolve(node.reference)
        if target.root in {"task", "run"}:
            return frozenset({"text"})
        if target.root == "local" and target.name == ROUND:
            return frozenset({"number"})
        if (spec := self._input(node)) is not None:
            own = _OF_INPUT[spec.type]
            return own if spec.is_required or spec.default is not None else own | {"null"}
        if values := self._values_of_answer(target):
            return frozenset(type_of(value) for value in values)
        shape = self._shape(target)
        if shape is not None and shape.types:
            return frozenset(_OF_SCHEMA[kind] for kind in shape.types)
        return frozenset({"text"}) if self._is_free_text(node) else ANY


def type_of(value: JsonValue) -> Type:
    """Return the type of a JSON value, as a condition sees it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "mapping" if isinstance(value, dict) else "number"


def in_words(kind: Type) -> str:
    return _WORDS[kind]


def _listed(types: frozenset[Type]) -> str:
    return " or ".join(_WORDS[kind] for kind in _WORDS if kind in types)


def _problem(node: Node, what: str, hint: str | None = None) -> BadCondition:
    return BadCondition(f"this {what}", node.start, node.end, hint)
