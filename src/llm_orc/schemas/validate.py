"""Check values by a schema. Loads the validator with the first one; nothing is fetched, and nothing takes long."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NoReturn

from llm_orc.net.text import one_line
from llm_orc.schemas.bad import BadSchema
from llm_orc.schemas.effort import MOST_DEPTH, MOST_VISITS, depth_and_size, visits_by_depth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema_rs import Draft202012Validator, ValidationError

    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Path, Schema

_MOST_SHOWN = 8  # complaints
_LONGEST = 200  # characters of one
_MOST_FOR_ALL = 2_000  # values, of which more than the first error is made
_BACKTRACKS = 100_000  # of a pattern with lookaround; others take linear time


class Checker:
    """Checks values by one schema. Raises `BadSchema` for a schema that can't be used."""

    def __init__(self, schema: Schema) -> None:
        self._validator = _validator(schema)
        self._visits = visits_by_depth(schema)

    def complaints(self, value: JsonValue) -> tuple[str, ...]:
        """Return what is wrong with the value, at most eight sentences; empty: it satisfies the schema."""
        depth, size = depth_and_size(value)
        if depth > MOST_DEPTH:
            return (f"it is nested more than {MOST_DEPTH} deep",)
        if self._visits[min(depth, len(self._visits) - 1)] * size > MOST_VISITS or depth >= len(self._visits):
            return (f"it is too large and too deep for its schema: {size:,} values, {depth} deep",)
        if self._validator.is_valid(value):
            return ()
        return tuple(dict.fromkeys(_sentence(error) for error in islice(self._errors(value, size), _MOST_SHOWN)))

    def _errors(self, value: JsonValue, size: int) -> Iterator[ValidationError]:
        if size <= _MOST_FOR_ALL:
            yield from self._validator.iter_errors(value)
            return
        try:  # it makes all errors before it returns the first
            self._validator.validate(value)
        except _errors_of_validator() as e:
            yield e


@lru_cache(maxsize=256)
def _checker(schema: str) -> Checker:
    return Checker(json.loads(schema))


def checker_for(schema: Schema) -> Checker:
    """Return the checker of a schema; the same one for equal schemas. Raises `BadSchema`."""
    return _checker(json.dumps(schema, ensure_ascii=True))


def _validator(schema: Schema) -> Draft202012Validator:
    from jsonschema_rs import (  # noqa: PLC0415 - only where an agent has a schema
        Draft202012Validator,
        FancyRegexOptions,
        ReferencingError,
        ValidationError,
    )

    options = FancyRegexOptions(backtrack_limit=_BACKTRACKS, size_limit=2**20, dfa_size_limit=2**20)
    try:
        return Draft202012Validator(schema, validate_formats=True, retriever=_no_network, pattern_options=options)
    except ValidationError as e:
        path: Path = tuple(e.instance_path)
        raise BadSchema(_schema_sentence(e, path), path) from None
    except (ReferencingError, ValueError) as e:
        raise BadSchema(f"is no usable JSON Schema: {one_line(str(e), _LONGEST)}") from None


def _errors_of_validator() -> type[ValidationError]:
    from jsonschema_rs import ValidationError  # noqa: PLC0415 - as above

    return ValidationError


def _no_network(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is not fetched")


def _schema_sentence(error: ValidationError, path: Path) -> str:
    words = one_line(error.message, _LONGEST)
    name = path[-1] if path else ""
    if name == "pattern":
        return "is no regular expression that can be used here"
    return f"is no JSON Schema: {words}"


def _sentence(error: ValidationError) -> str:
    place = path_text(tuple(error.instance_path))
    words = one_line(error.message, _LONGEST)
    nearest = _nearest(error)
    return f"{place}{words}{f' ({nearest})' if nearest else ''}"


def _nearest(error: ValidationError) -> str:
    """Of several schemas of which one has to hold, say what is wrong by the one that comes closest."""
    context: list[list[ValidationError]] = getattr(error.kind, "context", None) or []
    branches = [branch for branch in context if branch]
    if not branches or len(error.instance_path) > MOST_DEPTH:
        return ""
    best = max(
        branches, key=lambda branch: (len(branch[0].instance_path), "type" not in branch[0].schema_path[-1:])
    )
    return "; ".join(_plain(error) for error in best[:3])


def _plain(error: ValidationError) -> str:
    return f"{path_text(tuple(error.instance_path))}{one_line(error.message, _LONGEST)}"


def path_text(path: Path) -> str:
    """Return where in a value something is, as the beginning of a sentence; empty for the value as a whole."""
    return f"`{''.join(_steps(path)).lstrip('.')}`: " if path else ""


def _steps(path: Path) -> Iterator[str]:
    for step in path:
        yield f"[{step}]" if isinstance(step, int) else f".{step[:80]}"
