"""What of a day's limit is spent, in one line, and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.figures import dollars

if TYPE_CHECKING:
    from llm_orc.app.access.bills.today import Today
    from llm_orc.jsontypes import JsonValue


def today_words(today: Today) -> str:
    left_usd = today.limit_usd - today.counted_usd
    left = f"{dollars(left_usd)} left" if left_usd > 0 else "nothing left"
    return f"{dollars(today.counted_usd)} of {dollars(today.limit_usd)} spent, {left} (runs.max_cost_per_day)"


def today_value(today: Today | None) -> JsonValue:
    return None if today is None else {"max_cost_usd": today.limit_usd, "counted_usd": today.counted_usd}
