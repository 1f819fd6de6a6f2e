"""What a call costs: nothing, unknown with a plan's credits, or by the provider, the profile or the price list."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, assert_never

from llm_orc.auth.access import Billing
from llm_orc.providers.prices import listed_usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access.models import Model
    from llm_orc.providers.base import Usage


def cost_of(ready: Model) -> Callable[[str, Usage], float | None]:
    """Return a function: (model that answered, usage) → US dollars, None if the price is not known.

    With a plan's credits it is never known: no provider says which calls were beyond the allowance, and what a
    program reports is a list price.
    """
    match ready.access.billing:
        case Billing.LOCAL | Billing.SUBSCRIPTION:
            return lambda _model, _usage: 0.0
        case Billing.PLAN_CREDITS:
            return lambda _model, _usage: None
        case Billing.METERED:
            return _metered_cost_of(ready)
        case _:
            assert_never(ready.access.billing)


def _metered_cost_of(ready: Model) -> Callable[[str, Usage], float | None]:
    provider, per_token = ready.access.provider, ready.choice.cost_per_token

    def worked_out(model: str, usage: Usage) -> float | None:
        if per_token is not None:
            cost_usd = math.inf if usage.tokens is None else per_token * usage.tokens
            return cost_usd if math.isfinite(cost_usd) else None
        # The model that reports the answer is not known to be cheaper than the requested one.
        prices = [listed_usd(provider, name, usage) for name in dict.fromkeys((model, ready.model))]
        return max((price for price in prices if price is not None), default=None)

    def cost(model: str, usage: Usage) -> float | None:
        """A stated cost of 0 doesn't override a known price."""
        cost_usd = worked_out(model, usage)
        if usage.cost_usd:
            return usage.cost_usd
        return 0.0 if cost_usd is None and usage.cost_usd == 0.0 and usage.tokens else cost_usd

    return cost
