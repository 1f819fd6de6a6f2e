"""What a call costs: nothing where nothing is metered, else by the provider's word, the profile's, or the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing
from llm_orc.providers.prices import cost_usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access import ReadyModel
    from llm_orc.providers.base import Usage


def cost_of(ready: ReadyModel) -> Callable[[str, Usage], float | None]:
    """Return (model that answered, usage) → US dollars, None where the price is not known."""
    provider, per_token = ready.access.provider, ready.choice.cost_per_token
    if ready.access.billing is not Billing.METERED:
        return lambda _model, _usage: 0.0

    def cost(model: str, usage: Usage) -> float | None:
        if usage.cost_usd is not None:
            return usage.cost_usd
        if per_token is not None:
            return per_token * (usage.input_tokens + usage.output_tokens)
        return cost_usd(provider, model, usage)

    return cost
