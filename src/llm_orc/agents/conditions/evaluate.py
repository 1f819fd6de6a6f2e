"""Decide a condition. What can't be decided is an error, and never false."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from llm_orc.agents.conditions.check import in_words, type_of
from llm_orc.agents.conditions.parse import parse_condition
from llm_orc.agents.conditions.syntax import (
    BadCondition,
    Both,
    Compare,
    Constant,
    Either,
    Has,
    IsSet,
    ListOf,
    Not,
    Size,
    Value,
)
from llm_orc.errors import ConditionUndecided, InternalError, ReferenceWithoutValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.conditions.syntax import Node
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.references.syntax import Reference
    from llm_orc.jsontypes import JsonValue


def is_true(text: str, scope: Scope) -> bool:
    """Decide the condition. Raises `ConditionUndecided`: a missing field, or values that can't be compared."""
    try:
        condition = parse_condition(text)
    except BadCondition as e:  # of an ensemble that was built in Python: in a file it is found before
        raise ConditionUndecided(f"the condition `{text.strip()}` can't be read: {e.message}", hint=e.hint) from e
    try:
        return _Evaluation(text, scope).truth(condition.root)
    except ReferenceWithoutValue as e:
        error = ConditionUndecided(f"the condition `{text.strip()}` can't be decided: {e.message}", hint=e.hint)
        error.absent = e.absent
        raise error from e


class _Evaluation:
    def __init__(self, text: str, scope: Scope) -> None:
        self._text, self._scope = text, scope

    def truth(self, node: Node) -> bool:
        value = self._value(node)
        if isinstance(value, bool):
            return value
        raise self._undecided(node, f"is {in_words(type_of(value))}, and neither true nor false")

    def _value(self, node: Node) -> JsonValue:
        match node:
            case Constant(value=value):
                return value
            case Value(reference=reference):
                return self._scope.data_of(reference)
            case ListOf(items=items):
                return self._values(items)
            case Size(of=of):
                return self._size(of)
            case _:
                return self._decided(node)

    def _decided(self, node: Node) -> bool:
        match node:
            case IsSet(reference=reference):
                return self._is_set(reference)
            case Has(reference=reference):
                return self._has(reference)
            case Not(of=of):
                return not self.truth(of)
            case Both(left=left, right=right):
                return self._joined(left, right, decides=False)
            case Either(left=left, right=right):
                return self._joined(left, right, decides=True)
            case Compare():
                return self._compare(node)
            case _:
                raise InternalError(f"a condition has a part that nothing decides: {node}")

    def _values(self, nodes: Sequence[Node]) -> list[JsonValue]:
        """Return the value of each. If one is wrong, that is raised, and not that an agent has no answer."""
        values: list[JsonValue] = []
        absent: ReferenceWithoutValue | None = None
        for node in nodes:
            try:
                values.append(self._value(node))
            except ReferenceWithoutValue as e:
                if e.absent is None:
                    raise
                absent = absent or e
        if absent is not None:
            raise absent
        return values

    def _joined(self, left: Node, right: Node, *, decides: bool) -> bool:
        """As in CEL, the side that decides wins, also where the other can't be decided.

        If none does, and one side is wrong, that is raised, and not that an agent has no answer.
        """
        try:
            first = self.truth(left)
        except (ConditionUndecided, ReferenceWithoutValue) as e:
            try:
                if self.truth(right) is decides:
                    return decides
            except ReferenceWithoutValue as other:
                if other.absent is not None:
                    raise e from None
                if e.absent is not None:
                    raise
            except ConditionUndecided:
                if e.absent is not None:
                    raise
            raise
        return decides if first is decides else self.truth(right)

    def _is_set(self, reference: Reference) -> bool:
        try:
            return bool(self._scope.data_of(reference))
        except ReferenceWithoutValue:
            return False

    def _has(self, reference: Reference) -> bool:
        try:
            self._scope.data_of(reference)
        except ReferenceWithoutValue:
            return False
        return True

    def _size(self, of: Node) -> int:
        value = self._value(of)
        if isinstance(value, str | list | dict):
            return len(value)
        raise self._undecided(of, f"is {in_words(type_of(value))}, which has no size")

    def _compare(self, node: Compare) -> bool:
        left, right = self._values((node.left, node.right))
        match node.operator:
            case "==" | "!=":
                if None not in (left, right) and type_of(left) != type_of(right):
                    raise self._uncomparable(node, left, right)
                return equal(left, right) is (node.operator == "==")
            case "in":
                return self._is_in(node, left, right)
            case "<" | "<=" | ">" | ">=":
                return self._ordered(node, left, right)
            case _:
                assert_never(node.operator)

    def _ordered(self, node: Compare, left: JsonValue, right: JsonValue) -> bool:
        order = _order(left, right)
        if order is None:
            raise self._uncomparable(node, left, right)
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[node.operator]

    def _is_in(self, node: Compare, left: JsonValue, right: JsonValue) -> bool:
        if isinstance(right, dict) and isinstance(left, str):
            return left in right
        if not isinstance(right, list):
            raise self._uncomparable(node, left, right)
        if right and all(type_of(item) != type_of(left) for item in right):
            raise self._undecided(node, f"looks for {in_words(type_of(left))} in a list that has none")
        return any(equal(left, item) for item in right)

    def _uncomparable(self, node: Node, left: JsonValue, right: JsonValue) -> ConditionUndecided:
        return self._undecided(node, f"compares {in_words(type_of(left))} with {in_words(type_of(right))}")

    def _undecided(self, node: Node, what: str) -> ConditionUndecided:
        part = self._text[node.start : node.end]
        return ConditionUndecided(f"the condition `{self._text.strip()}` can't be decided: `{part}` {what}")


def _order(one: JsonValue, other: JsonValue) -> int | None:
    """Return -1, 0 or 1; None: they have no order."""
    if isinstance(one, str) and isinstance(other, str):
        return int(one > other) - int(one < other)
    if type_of(one) == type_of(other) == "number":
        assert isinstance(one, int | float)
        assert isinstance(other, int | float)
        return int(one > other) - int(one < other)
    return None


def equal(one: JsonValue, other: JsonValue) -> bool:
    """Equality of JSON values, as CEL has it: numbers by value, and `true` is not 1."""
    if type_of(one) != type_of(other):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    return one == other
