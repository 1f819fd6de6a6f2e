"""The usage that a provider reports: accepted if it is plausible, otherwise unknown (None).

Every dialect and every official CLI reads its counts through this module. A count that is missing, null, negative,
not whole or absurd is ignored, and so is 0 if there was a prompt or an answer. Such an answer is as good as any
other; its cost is unknown.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import msgspec

from llm_orc.providers.base import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABSURD_TOKENS = 1_000_000_000
_ABSURD_USD = 100_000.0  # for one call
_Number = TypeVar("_Number", int, float)
_LISTED_TIERS = frozenset({"", "auto", "default", "standard", "standard_only", "flex", "batch", "on_demand"})
_NOTHING: Mapping[str, object] = {}


def believable_count(value: object) -> int | None:
    """Return a count of tokens; None if `value`, from JSON, is not plausible."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _ABSURD_TOKENS:
        return None
    return value


def believable_usd(value: object) -> float | None:
    """Return a provider's stated cost; None if `value`, from JSON, is not plausible."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < _ABSURD_USD else None


def fields_of(raw: msgspec.Raw) -> Mapping[str, object]:
    """Return the fields of a JSON object; empty for anything else: token counts must not cost an answer."""
    found = plain_value(raw)
    return found if isinstance(found, dict) else _NOTHING


def plain_value(raw: msgspec.Raw) -> object:
    """Return the value; None also if it can't be read."""
    try:
        value: object = msgspec.json.decode(raw) if bytes(raw) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value


def count_in(fields: Mapping[str, object], *path: str) -> int | None:
    """Return the count at `path` of nested objects, None if there is no plausible one."""
    value: object = fields
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return believable_count(value)


def added_in(fields: Mapping[str, object], key: str) -> int | None:
    """Return a count that is omitted if it is 0; None if it is present and implausible."""
    return 0 if fields.get(key) is None else count_in(fields, key)


def sum_of(*counts: int | None) -> int | None:
    """Return the sum; None if one of them is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def counted(
    input_tokens: int | None,
    output_tokens: int | None,
    *,
    cache_read: int | None = None,
    cache_write: int | None = None,
    total: int | None = None,
    cost_usd: float | None = None,
    tier: object = None,
) -> Usage:
    """Return the usage for these counts.

    If a provider's `total` exceeds its parts, the rest is output: some count thinking only there. Cached tokens
    that exceed the whole input are ignored, because they are the cheaper ones.
    """
    if input_tokens and output_tokens is not None and total is not None:
        output_tokens = max(output_tokens, total - input_tokens)
    read, written = cache_read or 0, cache_write or 0
    if input_tokens is None or read + written > input_tokens:
        read = written = 0
    return Usage(input_tokens, output_tokens, read, written, cost_usd, is_at_list_price(tier))


def is_at_list_price(tier: object) -> bool:
    """True for a provider's service tier that costs no more than its list price."""
    return tier is None or (isinstance(tier, str) and tier.lower() in _LISTED_TIERS)


def merged(before: Usage, later: Usage) -> Usage:
    """Return a stream's counts so far: they are running totals, so none decreases."""
    return Usage(
        _more(before.input_tokens, later.input_tokens),
        _more(before.output_tokens, later.output_tokens),
        max(before.cache_read_tokens, later.cache_read_tokens),
        max(before.cache_write_tokens, later.cache_write_tokens),
        _more(before.cost_usd, later.cost_usd),
        before.at_list_price and later.at_list_price,
    )


def believed(usage: Usage) -> Usage:
    """Return the usage of a call with a prompt and an answer: neither count can be 0."""
    if usage.input_tokens and usage.output_tokens:
        return usage
    return replace(usage, input_tokens=usage.input_tokens or None, output_tokens=usage.output_tokens or None)


def _more(one: _Number | None, other: _Number | None) -> _Number | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)
