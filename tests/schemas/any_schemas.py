"""Random schemas as people write them, and random values."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "long name", "ünï"])
SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "pass", "2026-01-01"])
)
WORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"description": st.sampled_from(["What it is.", ""]), "title": st.just("T"), "default": st.none()}
)
STRINGS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(3, 5),
        "pattern": st.sampled_from(["^[a-z]*$", "^(?=x)x"]),
        "format": st.sampled_from(["date", "email", "uri", "regex", "made-up"]),
    },
)
NUMBERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "integer"])},
    optional={
        "minimum": st.integers(-3, 0),
        "maximum": st.integers(0, 5),
        "exclusiveMinimum": st.integers(-5, -4),
        "multipleOf": st.sampled_from([1, 2]),
    },
)
LITERALS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda values: {"enum": values}, st.lists(SCALARS, min_size=1, max_size=4, unique_by=repr)
)
SIMPLE: list[dict[str, Any]] = [
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"type": ["integer", "string", "null"], "minimum": 1, "minLength": 2},
    {"$ref": "#/$defs/d"},
    {},
]
CONSTANTS: st.SearchStrategy[dict[str, Any]] = st.builds(lambda value: {"const": value}, SCALARS)
LEAVES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    STRINGS, NUMBERS, LITERALS, CONSTANTS, st.sampled_from(SIMPLE)
)


def _objects(parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def made(properties: dict[str, Any], required: list[str], more: dict[str, Any]) -> dict[str, Any]:
        asked = [name for name in properties if name in required]
        return {"type": "object", "properties": properties, "required": asked, **more}

    more = st.fixed_dictionaries(
        {},
        optional={
            "additionalProperties": st.booleans() | st.just({"type": "string"}),
            "minProperties": st.integers(0, 1),
        },
    )
    return st.builds(made, st.dictionaries(NAMES, parts, max_size=3), st.lists(NAMES, max_size=4), more)


def _arrays(parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda items, more: {"type": "array", "items": items, **more},
        parts,
        st.fixed_dictionaries({}, optional={"minItems": st.integers(0, 2), "uniqueItems": st.just(value=True)}),
    )


def _several(parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    keys = st.sampled_from(["anyOf", "oneOf", "allOf"])
    return st.builds(lambda key, listed: {key: listed}, keys, st.lists(parts, min_size=1, max_size=3))


PARTS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    LEAVES,
    lambda parts: (
        _objects(parts) | _arrays(parts) | _several(parts) | st.builds(lambda a, b: {**b, **a}, parts, WORDS)
    ),
    max_leaves=8,
)
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda root, definition: {**root, "$defs": {"d": definition}},
    PARTS,
    LEAVES.filter(lambda leaf: "$ref" not in leaf),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
