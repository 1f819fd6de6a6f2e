"""What a condition is made of. `start` and `end` are the place of each part in the text."""

from __future__ import annotations

from typing import Literal

from llm_orc.agents.references.syntax import Reference
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

Comparison = Literal["==", "!=", "<", "<=", ">", ">=", "in"]


class BadCondition(ValueError):
    """The condition can't be read, or can never be what its author means."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.hint = message, start, end, hint


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a condition."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Constant(Node):
    value: JsonValue


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Value(Node):
    """`${…}`."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class IsSet(Node):
    """A reference that is a whole condition, as earlier releases have it: it is there, and not empty or false."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class Has(Node):
    """`has(${…})`: whether there is such an answer, or such a field."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class Size(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Not(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Both(Node):
    """`&&`."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Either(Node):
    """`||`."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare(Node):
    operator: Comparison
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Condition:
    """A whole condition, and its text."""

    text: str
    root: Node

    @property
    def references(self) -> tuple[Reference, ...]:
        """All references, in the order of the text."""
        return tuple(_references(self.root))


def _references(node: Node) -> list[Reference]:
    match node:
        case Value(reference=reference) | IsSet(reference=reference) | Has(reference=reference):
            return [reference]
        case Size(of=of) | Not(of=of):
            return _references(of)
        case Both(left=left, right=right) | Either(left=left, right=right) | Compare(left=left, right=right):
            return [*_references(left), *_references(right)]
        case ListOf(items=items):
            return [reference for item in items for reference in _references(item)]
        case _:
            return []
