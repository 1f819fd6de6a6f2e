"""What `options` may add to a request: plain sampling options by anyone, everything else only by the user.

For prices: `limit_in` has already been read into `max_tokens`, so that number limits the answer. What options add
to the prompt is in the bytes of the request. If `unpriced_options` names any, a call has no known maximum: refuse
it under a limit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.options.table import LIMITS, OPTIONS, RESERVED, Price
from llm_orc.storage.field_types import WrongValue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from llm_orc.catalog.rows import DialectName
    from llm_orc.providers.options.table import RequestOption

# The mappings that contain rows.
_GROUPS: Mapping[DialectName, frozenset[str]] = {
    dialect: frozenset(row.rpartition(".")[0] for row in rows) - {""} for dialect, rows in OPTIONS.items()
}
ALL_DIALECTS: tuple[DialectName, ...] = tuple(OPTIONS)
_SNAKE = re.compile(r"_([a-z0-9])")
_GENERATION = "generationConfig"
_NO_LIMIT = frozenset({-1, -2})  # to servers for local models


@dataclass(frozen=True, slots=True)
class OptionProblem:
    """An option that can't be sent. `path` is its path below `options`; `extra` is what would allow it."""

    path: tuple[str, ...]
    message: str  # text after the name of its owner
    hint: str | None = None
    extra: str | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class ExtraOption:
    """An option that is not a plain sampling option."""

    path: tuple[str, ...]
    price: Price
    does: str

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class _Field:
    """One option as it was given."""

    path: tuple[str, ...]
    name: str  # as in the table
    value: JsonValue
    is_known: bool  # a row has this name, or a part of it


def option_problems(
    options: Mapping[str, JsonValue], dialects: Sequence[DialectName], allowed: Collection[str]
) -> tuple[OptionProblem, ...]:
    """Return the problems of `options` for a model that speaks one of `dialects`.

    `allowed` names what the user's settings allow in addition: a field, or a mapping with all its content. Fields
    that we fill ourselves can't be set.
    """
    problems = []
    for field in _fields(options, dialects):
        rows = _rows(field.name, dialects)
        if all(is_reserved(field.path[0], dialect) for dialect in dialects):
            problems.append(_reserved(field))
        elif field.name in LIMITS:
            problems += _limit_problem(field)
        elif not any(row.takes for row in rows):
            if not _is_allowed(field, allowed):
                problems.append(_not_allowed(field, rows))
        elif (needs := _wrong(field.value, rows)) is not None:
            problems.append(OptionProblem(field.path, f"must be {needs}", needs.hint))
    return tuple(problems)


def extra_options(options: Mapping[str, JsonValue], dialects: Sequence[DialectName]) -> tuple[ExtraOption, ...]:
    """Return the `options` that are no plain sampling options of any of `dialects`."""
    found = []
    for field in _fields(options, dialects):
        rows = _rows(field.name, dialects)
        if field.name not in LIMITS and not any(row.takes for row in rows):
            price: Price = "tokens" if rows and all(row.price == "tokens" for row in rows) else "unknown"
            found.append(ExtraOption(field.path, price, rows[0].does if rows else ""))
    return tuple(found)


def unpriced_options(options: Mapping[str, JsonValue], dialect: DialectName) -> tuple[str, ...]:
    """Return the names of options that may bill anything but tokens, or tokens at another price."""
    return tuple(extra.name for extra in extra_options(options, (dialect,)) if extra.price == "unknown")


def limit_in(options: Mapping[str, JsonValue]) -> int | None:
    """Return the answer limit in `options` under any of its names; the lowest of several."""
    found = [
        value
        for path, value in _leaves(options)
        if ".".join(map(_camel, path)) in _CAMEL_LIMITS and isinstance(value, int) and not isinstance(value, bool)
    ]
    return min((value for value in found if value >= 1), default=None)


def limit_field(options: Mapping[str, JsonValue], default: str) -> str:
    """Return the limit's field name in the request: the one in `options`, if any."""
    return next((name for name in LIMITS if name in options and "." not in name), default)


def wire_options(options: Mapping[str, JsonValue], dialect: DialectName) -> dict[str, JsonValue]:
    """Return `options` for the body: in the dialect's spelling, without the limit (which was read).

    Gemini accepts `generation_config` for `generationConfig`; a body must not contain both.
    """
    sent: dict[str, JsonValue] = {}
    for key, value in options.items():
        name = _camel(key)
        if name in _CAMEL_LIMITS:
            continue
        if dialect == "gemini" and name == _GENERATION and isinstance(value, dict):
            before = sent.get(name)
            inner = {_camel(k): v for k, v in value.items() if f"{name}.{_camel(k)}" not in LIMITS}
            sent[name] = {**before, **inner} if isinstance(before, dict) else inner
        else:
            sent[key] = value
    return sent


def _fields(options: Mapping[str, JsonValue], dialects: Sequence[DialectName]) -> Iterator[_Field]:
    """Descend into mappings as far as the table has rows for their content."""
    is_camel = "gemini" in dialects
    waiting: list[tuple[tuple[str, ...], JsonValue]] = [
        ((key,), value) for key, value in reversed(list(options.items()))
    ]
    while waiting:
        path, value = waiting.pop()
        name = ".".join(path)
        if is_camel and not _is_row(name, dialects):
            name = ".".join(map(_camel, path))
        inside = _has_rows_inside(name, dialects)
        if isinstance(value, dict) and inside:
            waiting += [((*path, key), inner) for key, inner in reversed(list(value.items()))]
        elif value is not None or not inside:
            yield _Field(path, name, value, inside)


def _leaves(options: Mapping[str, JsonValue]) -> Iterator[tuple[tuple[str, ...], JsonValue]]:
    for key, value in options.items():
        yield (key,), value
        if isinstance(value, dict):
            yield from (((key, inner), leaf) for inner, leaf in value.items())


def _rows(name: str, dialects: Sequence[DialectName]) -> list[RequestOption]:
    return [OPTIONS[dialect][name] for dialect in dialects if name in OPTIONS[dialect]]


def _is_row(name: str, dialects: Sequence[DialectName]) -> bool:
    return name in LIMITS or bool(_rows(name, dialects)) or _has_rows_inside(name, dialects)


def _has_rows_inside(name: str, dialects: Sequence[DialectName]) -> bool:
    return any(name in _GROUPS[dialect] for dialect in dialects)


def is_reserved(key: str, dialect: DialectName) -> bool:
    """True for fields that we fill, in any spelling: some servers ignore case and `_` in names."""
    return _plain(key) in map(_plain, RESERVED[dialect])


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _camel(name: str) -> str:
    return _SNAKE.sub(lambda match: match[1].upper(), name)


_CAMEL_LIMITS = frozenset(map(_camel, LIMITS))


def _is_allowed(field: _Field, allowed: Collection[str]) -> bool:
    parts = field.path
    names = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return not names.isdisjoint(allowed) or field.name in allowed


def _reserved(field: _Field) -> OptionProblem:
    return OptionProblem(
        field.path,
        "can't be set: llm-orc fills this field itself",
        "Remove it; the model and the prompts have their own keys.",
    )


def _limit_problem(field: _Field) -> list[OptionProblem]:
    value = field.value
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and (value in _NO_LIMIT or (isinstance(value, int) and value >= 1)):
        return []
    return [
        OptionProblem(field.path, "must be a whole number, at least 1", "Better use the agent's `max_tokens`.")
    ]


def _not_allowed(field: _Field, rows: Sequence[RequestOption]) -> OptionProblem:
    if field.is_known:
        return OptionProblem(field.path, "must be a mapping")
    what = next((row.does for row in rows if row.does), "")
    return OptionProblem(
        field.path,
        "is not a plain sampling option" + (f": it {what}" if what else ", as far as llm-orc knows"),
        extra=field.name,
    )


def _wrong(value: JsonValue, rows: Sequence[RequestOption]) -> WrongValue | None:
    """Return why no row accepts the value."""
    complaint: WrongValue | None = None
    for row in rows:
        if row.takes is None:
            continue
        try:
            row.takes(value)
        except WrongValue as e:
            complaint = complaint or e
        else:
            return None
    return complaint
