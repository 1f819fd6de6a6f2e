"""How much work it is to check a value: a schema whose parts refer to each other can double it with every level.

A visit is one schema looked at for one value. `visits_by_depth` bounds how many visits one value at each depth can
take, so that what would take too long is refused before it is begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.schemas.walk import OF_CHILD, OF_CHILD_LISTS, in_place_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema

MOST_DEPTH = 64
"""Levels of a value. The validator has no limit of its own, and the system's stack has."""
MOST_VISITS = 20_000_000
"""About a second."""
_MOST_FOR_ONE = 1_000_000

Counts = dict[int, int]  # by the identity of a schema: how often it is looked at for one value


class EndlessReference(ValueError):
    """A schema refers to itself for the same value, which has no end."""


def depth_and_size(value: JsonValue) -> tuple[int, int]:
    """Return how deep a value is nested, 0 for a number, and how many values it has; both are upper bounds."""
    deepest, size, level = 0, 1, [value]
    while level:
        below = [one for item in level if isinstance(item, dict) for one in item.values()]
        below += [one for item in level if isinstance(item, list) for one in item]
        size += len(below)
        deepest += bool(below)
        level = below
        if deepest > MOST_DEPTH:
            break
    return deepest, size


def visits_by_depth(schema: Schema) -> list[int]:
    """Return the most visits of one value at each depth; it ends where they are too many.

    Raises `EndlessReference`.
    """
    known: dict[int, JsonValue] = {}
    order = _Order(schema)
    counts: Counts = {id(schema): 1}
    known[id(schema)] = schema
    totals: list[int] = []
    total = 0
    for _ in range(MOST_DEPTH + 1):
        within = _in_place(schema, counts, known, order)
        total = max(total, sum(within.values()))
        if total > _MOST_FOR_ONE:
            break
        totals.append(total)
        counts = _of_children(within, known)
    return totals


class _Order:
    """The schemas that hold for the same value, each before those within it, which must not lead back to it."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._below: dict[int, tuple[JsonValue, ...]] = {}

    def below(self, schema: JsonValue) -> tuple[JsonValue, ...]:
        if id(schema) not in self._below:
            self._below[id(schema)] = tuple(in_place_parts(self._root, schema))
        return self._below[id(schema)]

    def sorted(self, starts: list[JsonValue]) -> list[JsonValue]:
        """Return all that can be reached in place, in topological order. Raises `EndlessReference`."""
        done: dict[int, JsonValue] = {}
        open_: set[int] = set()
        waiting: list[tuple[JsonValue, bool]] = [(start, False) for start in starts]
        while waiting:
            schema, is_left = waiting.pop()
            if is_left:
                open_.discard(id(schema))
                done[id(schema)] = schema
                continue
            if id(schema) in done:
                continue
            if id(schema) in open_:
                raise EndlessReference
            open_.add(id(schema))
            waiting.append((schema, True))
            for part in self.below(schema):
                if id(part) in open_:
                    raise EndlessReference
                if isinstance(part, dict):
                    waiting.append((part, False))
        return [*done.values()][::-1]


def _in_place(root: Schema, counts: Counts, known: dict[int, JsonValue], order: _Order) -> Counts:
    """Spread the visits over all that holds for the same value."""
    result = dict(counts)
    for schema in order.sorted([known[one] for one in counts]):
        known[id(schema)] = schema
        times = result.get(id(schema), 0)
        for part in order.below(schema):
            if isinstance(part, dict):
                known[id(part)] = part
                result[id(part)] = result.get(id(part), 0) + times
    return result


def _of_children(within: Counts, known: dict[int, JsonValue]) -> Counts:
    """Return the visits of a value one level below: of the properties of one mapping, a value meets one."""
    result: Counts = {}
    for one, times in within.items():
        for alternatives in _child_schemas(known[one]):
            for part in _different(alternatives):
                known[id(part)] = part
                result[id(part)] = result.get(id(part), 0) + times
    return result


def _different(alternatives: Sequence[JsonValue]) -> Sequence[JsonValue]:
    """Return each of the schemas once: a value meets one of them, and equal ones take equal work."""
    return alternatives if len(alternatives) < 2 else [*{repr(part): part for part in alternatives}.values()]


def _child_schemas(schema: JsonValue) -> Iterator[Sequence[JsonValue]]:
    if not isinstance(schema, dict):
        return
    for key in OF_CHILD:
        if isinstance(schema.get(key), dict):
            yield [schema[key]]
    properties, patterns = schema.get("properties"), schema.get("patternProperties")
    if isinstance(properties, dict):
        yield [part for part in properties.values() if isinstance(part, dict)]
    if isinstance(patterns, dict):  # several patterns can fit one name
        yield from ([part] for part in patterns.values() if isinstance(part, dict))
    for key in OF_CHILD_LISTS:
        listed = schema.get(key)
        if isinstance(listed, list):
            yield [part for part in listed if isinstance(part, dict)]
