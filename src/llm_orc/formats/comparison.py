"""Runs beside each other: what each took, and what differs, as text and as JSON. Prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_orc.auth.access import Billing
from llm_orc.formats.figures import seconds, spent_dollars, tokens
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.results import RunResult

_LONGEST = 100
FIGURES = ("ANSWERED BY", "STATUS", "TIME", "TOKENS IN", "TOKENS OUT", "COST", "WHO PAYS", "RUN")


class Differs(Protocol):
    """One value on each side."""

    @property
    def what(self) -> str: ...
    @property
    def left(self) -> str | None: ...
    @property
    def right(self) -> str | None: ...


def difference_lines(differences: Sequence[Differs]) -> Iterator[str]:
    """Yield one line for each value that differs."""
    for one in differences:
        yield f"  {one.what}: {_short(one.left)} → {_short(one.right)}"


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    line = one_line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def difference_values(differences: Sequence[Differs]) -> list[JsonValue]:
    return [{"what": one.what, "a": one.left, "b": one.right} for one in differences]


def run_figures(result: RunResult) -> tuple[str, ...]:
    """Return one value for each of `FIGURES`; what is not known is marked, and never zero."""
    total = result.total
    more = "+?" if total.calls_without_usage else ""
    asked = [agent.model for agent in result.agents if agent.model is not None]
    return (
        ", ".join(dict.fromkeys(asked)) or "nobody",
        result.status,
        seconds(result.duration_s),
        tokens(total.input_tokens) + more,
        tokens(total.output_tokens) + more,
        cost_words(result),
        ", ".join(result.by_billing) or "nobody",
        result.run_id if result.recorded else "not recorded",
    )


def cost_words(result: RunResult) -> str:
    """Return what its user is billed for the run's calls: `$0.42`, `$0.42+?`, or `no extra cost`."""
    billed = [spend for billing, spend in result.by_billing.items() if Billing(billing).may_cost]
    if not billed:
        return "no extra cost"
    first, *others = billed
    for other in others:
        first = first.plus(other)
    return spent_dollars(first)


def figures_value(result: RunResult) -> JsonValue:
    """Return the same as JSON; null: not known."""
    total = result.total
    return {
        "run_id": result.run_id,
        "models": {agent.name: agent.model for agent in result.agents},
        "status": result.status,
        "duration_s": result.duration_s,
        "calls": total.calls,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "cost_usd": total.cost_usd,
        "billing": list(result.by_billing),
    }
