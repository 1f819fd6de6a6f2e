"""The spend cap of a sign-in: from the options of `auth add`, or asked for."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from llm_orc.auth.methods.spend_cap import SpendCap
from llm_orc.cli.shell.prompts import select
from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod
    from llm_orc.auth.methods.spend_cap import Period

_USUAL_USD = (5.0, 20.0)


def told_by_options(limit_usd: float | None, period: Period | None, expires: datetime | None) -> SpendCap | None:
    """Return the cap that the options ask for; None: they say nothing. `expires` is the key's last day, in UTC."""
    if limit_usd is not None and not math.isfinite(limit_usd):
        raise UsageMistake("--limit is no amount of money", hint="Write US dollars, e.g. `--limit 5`.")
    if period is not None and limit_usd is None:
        raise UsageMistake("--limit-period needs a limit", hint="Add `--limit USD`.")
    if expires is None:
        return None if limit_usd is None else SpendCap(limit_usd, period)
    end = expires.replace(tzinfo=UTC) + timedelta(days=1, seconds=-1)
    if end <= datetime.now(UTC):
        raise UsageMistake("--expires is in the past", hint="Give a later day, e.g. `--expires 2030-12-31`.")
    return SpendCap(limit_usd, period, end.isoformat().replace("+00:00", "Z"))


def may_have_cap(method: AuthMethod) -> bool:
    """True if the provider's sign-in takes a spend cap."""
    return method.sign_in is not None and method.sign_in.settings.kind == "openrouter"


def ask_for_cap() -> SpendCap | None:
    """Ask the person at the terminal; None: no cap."""
    usual = [f"At most ${usd:g} each month" for usd in _USUAL_USD]
    options = [*usual, "Another amount each month", "No cap"]
    chosen = select("How much may this key spend? OpenRouter enforces it.", options)
    if chosen < len(usual):
        return SpendCap(_USUAL_USD[chosen], "monthly")
    if options[chosen] == "No cap":
        return None
    return SpendCap(click.prompt("US dollars", type=click.FloatRange(0, 1e6, min_open=True), err=True), "monthly")
