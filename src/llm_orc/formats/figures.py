"""Figures for people: tokens, seconds, dollars, ids, and who pays."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing

if TYPE_CHECKING:
    from llm_orc.runs.spend import Spend


def end_of_id(run_id: str) -> str:
    """Return the end of a run's id, which names the run too."""
    return run_id.rpartition("-")[2]


def tokens(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def seconds(duration_s: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`: never more digits than needed."""
    if duration_s < 9.95:
        return f"{max(duration_s, 0):.1f} s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def dollars(cost_usd: float | None) -> str:
    """Two significant figures below a cent, cents above; an unknown cost is never shown as zero."""
    if cost_usd is None:
        return "cost unknown"
    if cost_usd == 0:
        return "$0"
    if cost_usd >= 0.01:
        return f"${cost_usd:,.2f}"
    if cost_usd < 0.000001:
        return "<$0.000001"
    digits = 1 - math.floor(math.log10(cost_usd))
    return f"${cost_usd:.{digits}f}"


def charge(billing: Billing | str | None, cost_usd: float | None) -> str:
    """Return who pays and, if calls may be billed, how much: `metered $0.0031`, `plan-credits, cost unknown`."""
    if billing is None:
        return ""
    match Billing(billing):
        case Billing.METERED:
            return f"metered {dollars(cost_usd)}"
        case Billing.PLAN_CREDITS:
            return f"plan-credits, {dollars(cost_usd)}"
        case Billing.SUBSCRIPTION | Billing.LOCAL:
            return str(billing)


def spent(spend: Spend) -> str:
    """Return calls and tokens; `1,200+?` if some calls did not report them."""
    more = "+?" if spend.calls_without_usage else ""
    calls = count(spend.calls, "call")
    return f"{calls}, {tokens(spend.input_tokens)}{more} tokens in, {tokens(spend.output_tokens)}{more} out"


def spent_dollars(spend: Spend) -> str:
    """Return the known cost: `$0.42`, `$0.42+?` if a part is unknown, or `cost unknown`."""
    return known_dollars(spend.cost_usd, spend.known_cost_usd)


def most_dollars(cost_usd: float) -> str:
    """Return a bound: rounded up, unlike `dollars`, which rounds to whole cents."""
    return dollars(math.ceil(round(cost_usd * 100, 6)) / 100 if cost_usd >= 0.01 else cost_usd)


def known_dollars(cost_usd: float | None, known_cost_usd: float | None) -> str:
    """Return the cost or, if a part of it is unknown, the known part with a mark."""
    if cost_usd is None and known_cost_usd:
        return f"{dollars(known_cost_usd)}+?"
    return dollars(cost_usd)


def count(number: int, noun: str) -> str:
    """`1 agent`, `2 agents`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def moment(unix_s: float) -> str:
    """Return an RFC 3339 time in UTC with milliseconds: `2026-11-03T09:30:00.250Z`."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def relative(moment: float, now: float) -> str:
    """Return the distance from now (Unix seconds): `in 55 min 10 s`, `12 s ago`; from two days on in days."""
    distance = abs(moment - now)
    words = f"{distance / 86400:.0f} days" if distance > 2 * 86400 else seconds(distance)
    return f"in {words}" if moment > now else f"{words} ago"


def age(unix_s: float, now: float) -> str:
    """Return how long ago it was, in at most ten characters: `12 s ago`, `3 h ago`; from 60 days on the date."""
    passed = max(now - unix_s, 0.0)
    if passed >= 60 * 86_400:
        return datetime.fromtimestamp(unix_s).strftime("%Y-%m-%d")  # noqa: DTZ006 - the date where the reader is
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if passed >= unit_s:
            return f"{passed // unit_s:.0f} {unit} ago"
    return f"{passed:.0f} s ago"


def local_minute(unix_s: float) -> str:
    """Return a time where the reader is: `2026-11-27 18:30`."""
    return datetime.fromtimestamp(unix_s).strftime("%Y-%m-%d %H:%M")  # noqa: DTZ006


def minute(unix_s: float) -> str:
    """`2026-11-27 18:30 UTC`."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def until_words(until: float, now: float) -> str:
    """`waits for a plan until 2026-11-27 18:30 UTC (in 1 h 05 min)`; `its plan has reset` once that is over."""
    if until <= now:
        return "its plan has reset"
    return f"waits for a plan until {minute(until)} ({relative(until, now)})"
