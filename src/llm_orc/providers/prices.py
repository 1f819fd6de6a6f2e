"""What a call costs, from the price table that genai-prices ships: never from the network."""

from __future__ import annotations

from functools import lru_cache

from llm_orc.catalog.table import PROVIDERS
from llm_orc.providers.base import Usage

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
