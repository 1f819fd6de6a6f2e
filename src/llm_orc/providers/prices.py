"""What a call costs, from the price table that genai-prices ships: never from the network."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from llm_orc.catalog.table import PROVIDERS
from llm_orc.providers.base import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.catalog.rows import ProviderSpec

_MILLION, _MANY = 1_000_000, 1_000  # long prompts cost more at some providers


def listed_usd(provider: str, model: str, usage: Usage) -> float | None:
    """Return US dollars for `usage` at list price; None if the price or the tokens are unknown."""
    if usage.tokens is None or not usage.at_list_price:
        return None
    row = PROVIDERS.get(provider)
    return _price(row.price_id, model, usage) if row is not None and row.price_id else None


def usd_per_million(provider: str, model: str) -> tuple[float, float] | None:
    """Return the list price of a million tokens of input, and of output, in US dollars; None if it is unknown."""
    prices = [listed_usd(provider, model, usage) for usage in (Usage(_MANY, 0), Usage(0, _MANY))]
    given, answered = ((price * _MILLION / _MANY if price is not None else None) for price in prices)
    return None if given is None or answered is None else (given, answered)


def sellers_of(model: str, providers: Iterable[ProviderSpec]) -> tuple[str, ...]:
    """Return those of `providers` in whose price list `model` is.

    The lists of some vendors also have what others' clouds sell: of these only their own models count.
    """
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - as for `_price`

    lists, name, sellers = {one.id: one for one in get_snapshot().providers}, model.casefold(), []
    for spec in providers:
        prices = lists.get(spec.price_id)
        if prices is None or prices.find_model(name) is None:
            continue
        is_host = spec.dialect == "openai-chat"  # the other dialects are their vendors' own
        if is_host or prices.model_match is None or prices.model_match.is_match(name):
            sellers.append(spec.name)
    return tuple(sellers)


@lru_cache(maxsize=4096)  # one look-up costs about as much CPU as a whole call over HTTP
def _price(provider_id: str, model: str, usage: Usage) -> float | None:
    # Takes 0.15 s and brings its own HTTP client, so it is only loaded for a call that costs money.
    from genai_prices import Usage as Counts  # noqa: PLC0415
    from genai_prices import calc_price  # noqa: PLC0415

    counted = Counts(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return float(calc_price(counted, model.removeprefix("models/"), provider_id=provider_id).total_price)
    except (LookupError, ValueError, ArithmeticError):  # an unknown model, or counts that contradict each other
        return None
