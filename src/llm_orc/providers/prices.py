"""What a call costs, from the price table that genai-prices ships: never from the network."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from llm_orc.catalog.table import PROVIDERS

if TYPE_CHECKING:
    from llm_orc.providers.base import Usage


def listed_usd(provider: str, model: str, usage: Usage) -> float | None:
    """Return US dollars for `usage` at list price; None if the price or the tokens are unknown."""
    if usage.tokens is None or not usage.at_list_price:
        return None
    row = PROVIDERS.get(provider)
    return _price(row.price_id, model, usage) if row is not None and row.price_id else None


@lru_cache(maxsize=4096)  # one look-up costs about as much CPU as a whole call over HTTP
def _price(provider_id: str, model: str, usage: Usage) -> float | None:
    # Takes 0.15 s and brings its own HTTP client, so it is only loaded for a call that costs money.
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    counted = Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return float(calc_price(counted, model.removeprefix("models/"), provider_id=provider_id).total_price)
    except (LookupError, ValueError, ArithmeticError):  # an unknown model, or counts that contradict each other
        return None
