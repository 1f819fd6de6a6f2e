"""The total usage and cost of calls: what is known, and how much is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_orc.agents.output import AgentOutput, ModelCall


@dataclass(frozen=True, slots=True)
class Spend:
    """Answered calls, and their totals. Tokens are those that providers counted.

    `cost_usd` is None if a part of it is unknown; `known_cost_usd` is the known part. `unknown_costs` is the
    number of calls and attempts of unknown cost; `unanswered` of them are attempts without an answer, which the
    provider may still bill.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    known_cost_usd: float = 0.0
    unknown_costs: int = 0
    unanswered: int = 0
    calls_without_usage: int = 0

    def plus(self, other: Spend) -> Spend:
        known = self.cost_usd is not None and other.cost_usd is not None
        return Spend(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            (self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
            self._known_usd + other._known_usd,
            self._unknown + other._unknown,
            self.unanswered + other.unanswered,
            self.calls_without_usage + other.calls_without_usage,
        )

    # Totals of earlier releases only have `cost_usd`.

    @property
    def _known_usd(self) -> float:
        return self.known_cost_usd if self.cost_usd is None else self.cost_usd

    @property
    def _unknown(self) -> int:
        return self.unknown_costs or int(self.cost_usd is None)


NOTHING_SPENT = Spend()


def spend_of(output: AgentOutput) -> Spend:
    """Return the totals of one answer."""
    return spend_on(output.calls)


def spend_on(calls: Iterable[ModelCall]) -> Spend:
    """Return the totals of these calls."""
    total = NOTHING_SPENT
    for call in calls:
        usage, cost_usd = call.usage, call.cost_usd
        total = total.plus(
            Spend(
                1,
                usage.input_tokens or 0,
                usage.output_tokens or 0,
                cost_usd,
                cost_usd or 0.0,
                unknown_costs=int(cost_usd is None),
                calls_without_usage=int(usage.tokens is None),
            )
        )
    return total


def unanswered(attempts: int) -> Spend:
    """Return the totals of so many attempts without an answer that may be billed."""
    return Spend(cost_usd=None, unknown_costs=attempts, unanswered=attempts) if attempts else NOTHING_SPENT


def added(one: Mapping[str, Spend], other: Mapping[str, Spend]) -> dict[str, Spend]:
    """Return both together, by who pays."""
    return {**one, **{billing: one.get(billing, Spend()).plus(part) for billing, part in other.items()}}
