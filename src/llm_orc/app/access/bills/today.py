"""How much of what a day may cost is spent, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class Today:
    """`counted_usd` has what is reserved for calls in progress as well."""

    limit_usd: float
    counted_usd: float


def spent_today(app: App) -> Today | None:
    """Return it; None: the settings limit no day. Raises `StorageError`."""
    limit_usd = app.settings.runs.max_cost_per_day_usd
    if limit_usd is None:
        return None
    from llm_orc.app.access.bills.day_ledger import spending_of_today  # noqa: PLC0415 - only where there is a limit

    return Today(limit_usd, spending_of_today(app.paths.spending_database, app.clock.now()).counted_usd)
