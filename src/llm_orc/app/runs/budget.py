"""The limits of one run, with everything counted that it has or may have spent, in earlier processes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.budget import Budget
from llm_orc.agents.model.counted_attempts import most_cost_usd
from llm_orc.agents.path import AgentPath, is_within, model_key
from llm_orc.agents.uses.limits import BudgetsWithin, Spent, limited_within
from llm_orc.agents.uses.prompt_parts import PromptParts, longest_of, prompt_parts
from llm_orc.agents.uses.repairs import SENT_BACK, repairs_of
from llm_orc.app.access.bills.costs import cost_of
from llm_orc.auth.access import Billing
from llm_orc.engine.events import RunStarted
from llm_orc.errors import SettingsError
from llm_orc.providers.base import Message, ModelRequest, Usage
from llm_orc.providers.limits.most import most_output_tokens
from llm_orc.runs.costs import CostsSoFar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.path import AgentPath
    from llm_orc.app.access.models import Models
    from llm_orc.engine.events import Limited
    from llm_orc.runs.attempts import RecordedAttempts
    from llm_orc.runs.recipe import Recipe, RecordedRun

_BYTES_PER_TOKEN = 6  # of an answer that the next agent is given; few languages have more
_LONGEST_MADE = 8192  # bytes of an answer that no model gives, where nothing says how long it may be
_FRAME = 400  # bytes around each part of a prompt; generous


def budget_of(
    recipe: Recipe,
    earlier: RecordedRun | None,
    candidates: Mapping[str, Sequence[Candidate]],
    told: Mapping[str, int],
    record: RecordedAttempts,
) -> Budget | None:
    """Return the budget of a run, None without limits. `told` has the length of each history in characters.

    A call that an earlier process sent without a limit, and whose cost is unknown, counts at its maximum.
    """
    if not limits_of(recipe):
        return None
    if earlier is None:
        return Budget(recipe.max_cost_usd, max_calls=recipe.max_calls, record=record)
    costs = earlier.state.costs
    costs.stop()
    spent_usd = costs.counted_usd
    for agent in () if recipe.max_cost_usd is None else costs.uncounted:
        place = model_key(AgentPath(agent))
        counts_usd = _most_of(recipe, earlier, candidates.get(place, ()), place, told.get(agent, 0))
        record.unlimited(agent, counts_usd)
        spent_usd += counts_usd
    return Budget(recipe.max_cost_usd, spent_usd, max_calls=recipe.max_calls, calls=costs.calls, record=record)


def limits_of(recipe: Recipe) -> tuple[Limited, ...]:
    """Return what is limited, for the whole run or for an ensemble within it."""
    within = limited_within(recipe.ensemble).values()
    costs = (recipe.max_cost_usd, *(one.max_cost_usd for one in within))
    calls = (recipe.max_calls, *(one.max_calls for one in within))
    limited: tuple[Limited, ...] = () if all(one is None for one in costs) else ("cost",)
    return limited if all(one is None for one in calls) else (*limited, "calls")


def budgets_within(recipe: Recipe, earlier: RecordedRun | None) -> BudgetsWithin:
    """Return the budgets of the ensembles within agents, with what earlier processes have spent below each."""

    def spent(path: AgentPath) -> Spent:
        costs = CostsSoFar()
        for event in () if earlier is None else earlier.events:
            agent = getattr(event, "agent", None)
            if isinstance(event, RunStarted) or (agent is not None and is_within(agent, path)):
                costs.apply(event)
        costs.stop()
        return costs.counted_usd, costs.calls

    return BudgetsWithin(limited_within(recipe.ensemble), spent)


def _most_of(
    recipe: Recipe, earlier: RecordedRun, candidates: Sequence[Candidate], agent: str, told: int
) -> float:
    """Return what one attempt of the agent can have cost at most, by what it is asked now."""
    outputs = earlier.state.outputs
    asked = prompt_parts(recipe.ensemble).get(agent, PromptParts())
    parts = [recipe.task] * asked.tasks + [outputs[name].text for name in asked.answers if name in outputs]
    more = told + asked.literal + asked.input_characters(recipe.inputs)
    size = 4 * more + sum(_FRAME + len(part.encode("utf-8", "surrogatepass")) for part in parts)
    size += repairs_of(recipe.ensemble).get(agent, 0) * _most_sent_back(candidates)
    return max((_most_of_one(one, size) for one in candidates if one.is_metered), default=0.0)


def most_of_any(recipe: Recipe, candidates: Mapping[str, Sequence[Candidate]], added: Mapping[str, int]) -> float:
    """Return what one attempt of any agent can cost at most. `added` are characters that a row adds."""
    longest = {name: max(map(_longest_bytes, found), default=0) for name, found in candidates.items()}
    most_usd = 0.0
    asked_of = prompt_parts(recipe.ensemble)
    repairs = repairs_of(recipe.ensemble)
    for agent, found in candidates.items():
        asked = asked_of.get(agent, PromptParts())
        before = (longest_of(longest, name, _LONGEST_MADE) for name in asked.answers)
        parts = [len(recipe.task.encode("utf-8", "surrogatepass"))] * asked.tasks + [*before]
        size = 4 * (added.get(agent, 0) + asked.literal) + sum(_FRAME + part for part in parts)
        size += repairs.get(agent, 0) * _most_sent_back(found)
        for one in found:
            if one.is_metered:
                most_usd = max(most_usd, _most_of_one(one, size))
    return most_usd


def _most_sent_back(candidates: Sequence[Candidate]) -> int:
    """Return what a repair adds to the next request: the answer, and what is wrong with it."""
    return max(map(_longest_bytes, candidates), default=0) + 4 * SENT_BACK + _FRAME


def _longest_bytes(candidate: Candidate) -> int:
    choice = candidate.choice
    request = ModelRequest((), max_tokens=choice.max_tokens, options=choice.options)
    return _BYTES_PER_TOKEN * most_output_tokens(request, candidate.model.name)


def _most_of_one(candidate: Candidate, size: int) -> float:
    choice = candidate.choice
    request = ModelRequest((Message("user", ""),), max_tokens=choice.max_tokens, options=choice.options)
    return most_cost_usd(candidate, request, size + len((choice.system_prompt or "").encode()) + _FRAME)


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


def refuse_unknown_price(max_cost_usd: float | None, ready: Models) -> None:
    """A limit that can't be kept is none: raise `SettingsError` where the most of a call is not known."""
    if max_cost_usd is None:
        return
    one = Usage(1, 1)
    models = [
        model
        for found in ready.by_agent.values()
        for model in found
        if model.access.billing is not Billing.PLAN_CREDITS  # no limit counts these: see `unlimited_notices`
    ]
    unknown = [f"`{m.access.provider}` {m.model}" for m in models if cost_of(m)(m.model, one) is None]
    if unknown:
        raise SettingsError(
            f"the price of {', '.join(dict.fromkeys(unknown))} is not known, so `--max-cost` can't be kept",
            hint="Give it in a profile (`cost_per_token`, US dollars), or run without `--max-cost`.",
        )
    endless = sorted({f"`{m.access.provider}`" for m in models if "max_tokens" in m.unpriced_options})
    if endless:
        raise SettingsError(
            f"{', '.join(endless)} takes no limit of an answer, so `--max-cost` can't be kept",
            hint="Use another provider, or run without `--max-cost`.",
        )
    for agent, found in ready.by_agent.items():
        options = sorted({option for model in found for option in model.unpriced_options})
        if options:
            raise SettingsError(
                f"what agent `{agent}` may cost with {', '.join(f'`{o}`' for o in options)} in its `options`"
                " is not known, so `--max-cost` can't be kept",
                hint="Take them out of `options`, or run without `--max-cost`.",
            )
