"""Estimate what the metered calls of a run would cost, before it starts and only if it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.path import AgentPath, is_within
from llm_orc.agents.uses.prompt_parts import PromptParts, longest_of, prompt_parts
from llm_orc.agents.uses.repairs import SENT_BACK, repairs_of
from llm_orc.app.access.bills.costs import cost_of
from llm_orc.app.access.models import Estimate
from llm_orc.auth.access import Billing
from llm_orc.providers.base import ModelRequest, Usage
from llm_orc.providers.limits.most import most_output_tokens
from llm_orc.providers.options.left_out import takes_limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.app.access.models import Model
    from llm_orc.runs.recipe import Recipe

_CHARACTERS_PER_TOKEN = 4
_USUAL_ANSWER = 500  # tokens
_SENT_BACK = SENT_BACK // _CHARACTERS_PER_TOKEN


def estimate(
    recipe: Recipe,
    by_agent: Mapping[str, Sequence[Model]],
    told: Mapping[str, int],
) -> Estimate | None:
    """Return the estimate for the first route of each agent; None if nothing is metered.

    `told` is the number of characters of history that each agent receives before its turn.
    """
    parts = prompt_parts(recipe.ensemble)
    metered = {name: ways[0] for name, ways in by_agent.items() if ways[0].access.billing is Billing.METERED}
    if not metered:
        return None
    repairs = repairs_of(recipe.ensemble)
    longest = {name: _longest(ways[0]) for name, ways in by_agent.items()}
    endless = {name for name, ways in by_agent.items() if not takes_limit(ways[0].connection.calls)}
    likely: list[float | None] = []
    most: list[float | None] = []
    runs = {name: parts.get(name, PromptParts()) for name in metered}
    for name, ready in metered.items():
        asked = runs[name]
        given = asked.tasks * len(recipe.task) + asked.literal + asked.input_characters(recipe.inputs)
        known = (given + len(ready.choice.system_prompt or "") + told.get(name, 0)) // _CHARACTERS_PER_TOKEN
        before = asked.answers
        price = cost_of(ready)
        usual = min(_USUAL_ANSWER, longest[name])
        likely.append(_times(asked.runs, price(ready.model, Usage(known + _USUAL_ANSWER * len(before), usual))))
        told_at_most = known + sum(longest_of(longest, other, _USUAL_ANSWER) for other in before)
        is_endless = name in endless or any(_is_in(one, other) for one in endless for other in before)
        times = range(repairs.get(name, 0) + 1)
        each = [
            price(ready.model, Usage(told_at_most + n * (longest[name] + _SENT_BACK), longest[name]))
            for n in times
        ]
        most.append(None if is_endless else _times(asked.runs, _sum(each)))
    calls = sum(asked.runs for asked in runs.values())
    return Estimate(calls, _sum(likely), _sum(most), any(asked.has_list for asked in runs.values()))


def _times(runs: int, cost: float | None) -> float | None:
    return None if cost is None else runs * cost


def _is_in(agent: str, other: str) -> bool:
    return agent == other or is_within(agent, AgentPath(other))


def _longest(ready: Model) -> int:
    choice = ready.choice
    return most_output_tokens(ModelRequest((), max_tokens=choice.max_tokens, options=choice.options), ready.model)


def _sum(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
