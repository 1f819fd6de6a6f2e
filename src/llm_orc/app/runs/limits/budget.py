"""The limits of one run, with everything counted that it has or may have spent, in earlier processes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import KEYS, Most, Spent
from llm_orc.agents.model.counted_attempts import most_cost_usd, most_tokens
from llm_orc.agents.path import AgentPath, model_key
from llm_orc.agents.uses.file_flow import files_by_agent
from llm_orc.agents.uses.limits import BudgetsWithin, CeilingsWithin
from llm_orc.agents.uses.prompt_parts import PromptParts, longest_of, prompt_parts
from llm_orc.agents.uses.repairs import SENT_BACK, repairs_of
from llm_orc.app.runs.limits.within import spent_within
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.limits.most import most_output_tokens, most_tokens_of_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llm_orc.agents.budgets.ceilings import Limited
    from llm_orc.agents.candidate import Candidate
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

    A call that an earlier process sent without a limit, and of which too little is known, counts at its maximum.
    """
    if not limits_of(recipe):
        return None
    if earlier is None:
        return Budget(recipe.ceilings, record=record)
    costs = earlier.state.costs
    costs.stop()
    usd, tokens = costs.counted_usd, costs.counted_tokens
    for agent in () if recipe.max_cost_usd is None else costs.uncounted:
        most_usd = max(
            (p for p, _ in _most_of(recipe, earlier, candidates, agent, told, metered=True)), default=0.0
        )
        record.unlimited(agent, most_usd)
        usd += most_usd
    for agent in () if recipe.max_total_tokens is None else costs.uncounted_tokens:
        most = max((t for _, t in _most_of(recipe, earlier, candidates, agent, told, metered=False)), default=1)
        record.unlimited(agent, 0.0, most)
        tokens += most
    return Budget(recipe.ceilings, Spent(usd, costs.calls, tokens), record=record)


def limits_of(recipe: Recipe) -> tuple[Limited, ...]:
    """Return what is limited for the whole run; calls also if something within it is.

    Attempts of agents that have no limit are not recorded with what they may cost or take.
    """
    own, within = recipe.ceilings.limited, bool(CeilingsWithin(recipe.ensemble))
    return tuple(key for key in KEYS if key in own or (key == "calls" and within))


def budgets_within(recipe: Recipe, earlier: RecordedRun | None) -> BudgetsWithin:
    """Return the budgets of agents, and of ensembles within them, with what earlier processes have spent."""
    ceilings = CeilingsWithin(recipe.ensemble)
    if not ceilings or earlier is None:
        return BudgetsWithin(ceilings, {})
    return BudgetsWithin(ceilings, spent_within(ceilings, earlier.events))


def _most_of(
    recipe: Recipe,
    earlier: RecordedRun,
    candidates: Mapping[str, Sequence[Candidate]],
    agent: AgentPath,
    told: Mapping[str, int],
    *,
    metered: bool,
) -> Iterator[tuple[float, int]]:
    """Yield the dollars and tokens that an attempt of each of its models can have taken, by what is asked now."""
    place = model_key(agent)
    found = candidates.get(place, ())
    outputs = earlier.state.outputs
    asked = prompt_parts(recipe.ensemble).get(place, PromptParts())
    parts = [recipe.task] * asked.tasks + [outputs[name].text for name in asked.answers if name in outputs]
    more = told.get(agent, 0) + asked.literal + asked.input_characters(recipe.inputs)
    size = 4 * more + sum(_FRAME + len(part.encode("utf-8", "surrogatepass")) for part in parts)
    size += repairs_of(recipe.ensemble).get(place, 0) * _most_sent_back(found)
    by_agent = files_by_agent(recipe.ensemble, recipe.inputs, recipe.files, recipe.named_files)
    files = by_agent.get(AgentPath(place), ())
    for one in found:
        if one.is_metered or not metered:
            yield _most_of_one(one, size + most_tokens_of_files(files, one.model.name))


def most_of_any(recipe: Recipe, candidates: Mapping[str, Sequence[Candidate]], added: Mapping[str, int]) -> Most:
    """Return what one attempt of any agent can take at most. `added` are characters that a row adds."""
    longest = {name: max(map(_longest_bytes, found), default=0) for name, found in candidates.items()}
    most_usd, most = 0.0, 0
    asked_of = prompt_parts(recipe.ensemble)
    repairs = repairs_of(recipe.ensemble)
    for agent, found in candidates.items():
        asked = asked_of.get(agent, PromptParts())
        before = (longest_of(longest, name, _LONGEST_MADE) for name in asked.answers)
        parts = [len(recipe.task.encode("utf-8", "surrogatepass"))] * asked.tasks + [*before]
        size = 4 * (added.get(agent, 0) + asked.literal) + sum(_FRAME + part for part in parts)
        size += repairs.get(agent, 0) * _most_sent_back(found)
        for one in found:
            usd, tokens = _most_of_one(one, size)
            most_usd, most = max(most_usd, usd if one.is_metered else 0.0), max(most, tokens)
    return Most(most_usd, most)


def _most_sent_back(candidates: Sequence[Candidate]) -> int:
    """Return what a repair adds to the next request: the answer, and what is wrong with it."""
    return max(map(_longest_bytes, candidates), default=0) + 4 * SENT_BACK + _FRAME


def _longest_bytes(candidate: Candidate) -> int:
    choice = candidate.choice
    request = ModelRequest((), max_tokens=choice.max_tokens, options=choice.options)
    return _BYTES_PER_TOKEN * most_output_tokens(request, candidate.model.name)


def _most_of_one(candidate: Candidate, size: int) -> tuple[float, int]:
    choice = candidate.choice
    request = ModelRequest((Message("user", ""),), max_tokens=choice.max_tokens, options=choice.options)
    whole = size + len((choice.system_prompt or "").encode()) + _FRAME
    return most_cost_usd(candidate, request, whole), most_tokens(request, candidate.model.name, whole)
