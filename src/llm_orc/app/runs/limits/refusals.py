"""Limits that can't be kept, which are none: a run is refused where the most of a call is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.budgets.ceilings import KEYS
from llm_orc.agents.path import AgentPath
from llm_orc.agents.uses.limits import CeilingsWithin
from llm_orc.app.access.bills.costs import cost_of
from llm_orc.app.runs.limits.day_budget import SETTING
from llm_orc.auth.access import Billing
from llm_orc.errors import SettingsError
from llm_orc.providers.base import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.budgets.ceilings import Ceilings, Limited
    from llm_orc.agents.spec import AgentGraph
    from llm_orc.app.access.models import Model, Models
    from llm_orc.app.wiring import App

_OPTIONS: dict[Limited, str] = {
    "cost": "`--max-cost`",
    "calls": "`--max-calls`",
    "tokens": "`--max-total-tokens`",
}


def unlimited_notices(max_cost_usd: float | None, ready: Models) -> tuple[str, ...]:
    """Return what a limit of money does not bind, for its user to know before the run."""
    if max_cost_usd is None:
        return ()
    on_plan = (
        model.access.provider
        for found in ready.by_agent.values()
        for model in found
        if model.access.billing is Billing.PLAN_CREDITS
    )
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(on_plan))
    if not names:
        return ()
    return (f"`--max-cost` doesn't limit {names}: what a plan's credits pay for is up to its account.",)


def refuse_unknown_most(app: App, graph: AgentGraph, ceilings: Ceilings, ready: Models) -> None:
    """Raise `SettingsError` where a ceiling can't be kept: of the run, within it, or of the day."""
    per_day = app.settings.runs.max_cost_per_day_usd is not None
    _Refusals(graph, ceilings, ready, per_day=per_day).check()


class _Refusals:
    def __init__(self, graph: AgentGraph, ceilings: Ceilings, ready: Models, *, per_day: bool) -> None:
        self._within, self._ceilings, self._ready = CeilingsWithin(graph), ceilings, ready
        self._per_day = per_day

    def check(self) -> None:
        self._refuse_unknown_price()
        self._refuse_endless_answers()
        self._refuse_options()
        self._refuse_unbounded()

    def _limited(self, limited: Limited) -> Iterator[tuple[str, Model, str]]:
        """Yield the agents and models for which there is such a ceiling, with its name."""
        for agent, found in self._ready.by_agent.items():
            limit = self._name_of(agent, limited)
            for model in found if limit else ():
                yield agent, model, limit

    def _name_of(self, agent: str, limited: Limited) -> str:
        if limited in self._ceilings.limited:
            return _OPTIONS[limited]
        bounds = self._within.around(AgentPath(agent.partition("#")[0]))
        found = (f"`{KEYS[limited]}` of {one.of}" for one in bounds if limited in one.ceilings.limited)
        return next(found, f"`{SETTING}`" if self._per_day and limited == "cost" else "")

    def _cost_limited(self) -> Iterator[tuple[str, Model, str]]:
        for agent, model, limit in self._limited("cost"):
            if model.access.billing is not Billing.PLAN_CREDITS:  # no limit counts these: see `unlimited_notices`
                yield agent, model, limit

    def _refuse_unknown_price(self) -> None:
        one = Usage(1, 1)
        unknown = {
            f"`{m.access.provider}` {m.model}": limit
            for _, m, limit in self._cost_limited()
            if cost_of(m)(m.model, one) is None
        }
        if unknown:
            limit = next(iter(unknown.values()))
            raise SettingsError(
                f"the price of {', '.join(unknown)} is not known, so {limit} can't be kept",
                hint=f"Give it in a profile (`cost_per_token`, US dollars), or run without {limit}.",
            )

    def _refuse_endless_answers(self) -> None:
        endless = {
            f"`{m.access.provider}`": limit
            for _, m, limit in self._cost_limited()
            if "max_tokens" in m.unpriced_options
        }
        if endless:
            limit = next(iter(endless.values()))
            raise SettingsError(
                f"{', '.join(sorted(endless))} takes no limit of an answer, so {limit} can't be kept",
                hint=f"Use another provider, or run without {limit}.",
            )

    def _refuse_options(self) -> None:
        for agent, model, limit in self._cost_limited():
            if model.unpriced_options:
                options = ", ".join(f"`{option}`" for option in sorted(model.unpriced_options))
                raise SettingsError(
                    f"what agent `{agent}` may cost with {options} in its `options` is not known, so {limit} can't"
                    " be kept",
                    hint=f"Take them out of `options`, or run without {limit}.",
                )

    def _refuse_unbounded(self) -> None:
        for agent, model, limit in self._limited("tokens"):
            if (unbounded := model.unbounded) is not None:
                raise SettingsError(
                    f"nobody knows how many tokens a call of agent `{agent}` may take, so {limit} can't be kept:"
                    f" {unbounded.because}",
                    hint=unbounded.hint,
                )
