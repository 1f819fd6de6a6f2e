"""What a provider says that a call took: taken where it can be true, unknown (None) where it can't.

Every dialect and every official CLI reads its counts through here. A count that is missing, null, negative, no
whole number or absurd says nothing; neither does 0 where there was a prompt or an answer. Such an answer is as
good as any other, and what it cost is not known.
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
    """Return a count of tokens; None where `value`, taken from JSON, is none that can be true."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _ABSURD_TOKENS:
        return None
    return value


def believable_usd(value: object) -> float | None:
    """Return what a provider says that a call cost; None where `value`, taken from JSON, can't be true."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < _ABSURD_USD else None


def fields_of(raw: msgspec.Raw) -> Mapping[str, object]:
    """Return the fields of a JSON object; none of anything else, as what counts tokens may not cost an answer."""
    found = plain_value(raw)
    return found if isinstance(found, dict) else _NOTHING


def plain_value(raw: msgspec.Raw) -> object:
    """Return what stands there; None also of what can't be read."""
    try:
        value: object = msgspec.json.decode(raw) if bytes(raw) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value


def count_in(fields: Mapping[str, object], *path: str) -> int | None:
    """Return the count at `path` of nested objects, None where there is no believable one."""
    value: object = fields
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return believable_count(value)


def added_in(fields: Mapping[str, object], key: str) -> int | None:
    """Return a count that is left out where it is 0; None where it is there and can't be believed."""
    return 0 if fields.get(key) is None else count_in(fields, key)


def sum_of(*counts: int | None) -> int | None:
    """Return the sum; None where one of them is not known."""
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
    """Return the usage that these counts make.

    Where a provider's `total` is more than its parts, the rest is output: some count thoughts there alone.
    Tokens of the cache that are more than the whole input are not believed, as they are the cheaper ones.
    """
    if input_tokens and output_tokens is not None and total is not None:
        output_tokens = max(output_tokens, total - input_tokens)
    read, written = cache_read or 0, cache_write or 0
    if input_tokens is None or read + written > input_tokens:
        read = written = 0
    return Usage(input_tokens, output_tokens, read, written, cost_usd, is_at_list_price(tier))


def is_at_list_price(tier: object) -> bool:
    """True for a level of service, as a provider names it, that costs no more than its price list says."""
    return tier is None or (isinstance(tier, str) and tier.lower() in _LISTED_TIERS)


def merged(before: Usage, later: Usage) -> Usage:
    """Return what a stream has said so far: counts of a stream are running totals, so that none takes one back."""
    return Usage(
        _more(before.input_tokens, later.input_tokens),
        _more(before.output_tokens, later.output_tokens),
        max(before.cache_read_tokens, later.cache_read_tokens),
        max(before.cache_write_tokens, later.cache_write_tokens),
        _more(before.cost_usd, later.cost_usd),
        before.at_list_price and later.at_list_price,
    )


def believed(usage: Usage) -> Usage:
    """Return the usage of a call that had a prompt and was given an answer: neither took nothing."""
    if usage.input_tokens and usage.output_tokens:
        return usage
    return replace(usage, input_tokens=usage.input_tokens or None, output_tokens=usage.output_tokens or None)


def _more(one: _Number | None, other: _Number | None) -> _Number | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)
