"""Estimate what the metered calls of a run would cost, before it starts and only if it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import tooled_agents
from llm_orc.agents.path import AgentPath, is_within
from llm_orc.agents.uses.file_flow import files_by_agent
from llm_orc.agents.uses.prompt_parts import PromptParts, longest_of, prompt_parts
from llm_orc.agents.uses.repairs import SENT_BACK, repairs_of
from llm_orc.app.access.bills.costs import cost_of
from llm_orc.app.access.models import Estimate
from llm_orc.auth.access import Billing
from llm_orc.dataclass import dataclass
from llm_orc.providers.base import ModelRequest, Usage
from llm_orc.providers.limits.most import most_output_tokens
from llm_orc.providers.options.left_out import takes_limit
from llm_orc.providers.parts import FileRef, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.app.access.models import Model
    from llm_orc.runs.recipe import Recipe

_CHARACTERS_PER_TOKEN = 4
_USUAL_ANSWER = 500  # tokens
_USUAL_IMAGE, _LARGE_IMAGE = 1_500, 5_000  # tokens of an image, or of a page with its text
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
    repairs, tooled = repairs_of(recipe.ensemble), tooled_agents(recipe.ensemble)
    files = files_by_agent(recipe.ensemble, recipe.inputs, recipe.files, recipe.named_files)
    longest = {name: _longest(ways[0]) for name, ways in by_agent.items()}
    endless = {name for name, ways in by_agent.items() if not takes_limit(ways[0].connection.calls)}
    likely: list[float | None] = []
    most: list[float | None] = []
    runs = {name: parts.get(name, PromptParts()) for name in metered}
    for name, ready in metered.items():
        asked = runs[name]
        given = asked.tasks * len(recipe.task) + asked.literal + asked.input_characters(recipe.inputs)
        attached = _Attached.of(files.get(AgentPath(name), ()), is_one=asked.has_list)
        known = (given + len(ready.choice.system_prompt or "") + told.get(name, 0)) // _CHARACTERS_PER_TOKEN
        known += attached.likely
        before = asked.answers
        price = cost_of(ready)
        usual = min(_USUAL_ANSWER, longest[name])
        likely.append(_times(asked.runs, price(ready.model, Usage(known + _USUAL_ANSWER * len(before), usual))))
        told_at_most = (
            known
            - attached.likely
            + attached.most
            + sum(longest_of(longest, other, _USUAL_ANSWER) for other in before)
        )
        is_endless = name in endless or any(_is_in(one, other) for one in endless for other in before)
        is_endless = is_endless or name in tooled  # its model may ask for any number of tools
        times = range(repairs.get(name, 0) + 1)
        each = [
            price(ready.model, Usage(told_at_most + n * (longest[name] + _SENT_BACK), longest[name]))
            for n in times
        ]
        most.append(None if is_endless else _times(asked.runs, _sum(each)))
    calls = sum(asked.runs for asked in runs.values())
    return Estimate(calls, _sum(likely), _sum(most), any(asked.has_list for asked in runs.values()))


@dataclass(frozen=True, slots=True)
class _Attached:
    """The tokens of the files that go with what an agent is asked."""

    likely: int
    most: int

    @classmethod
    def of(cls, files: Sequence[FileRef], *, is_one: bool) -> _Attached:
        """`is_one`: the agent runs over them, and gets one at a time."""
        found = [_tokens_of(one) for one in files]
        if not found:
            return cls(0, 0)
        likely, most = [one.likely for one in found], [one.most for one in found]
        return cls(sum(likely) // len(likely), max(most)) if is_one else cls(sum(likely), sum(most))


def _tokens_of(file: FileRef) -> _Attached:
    """A PDF is not opened for an estimate: a page has 50 kB, and 10 kB at least."""
    match kind_of(file.media_type):
        case "image":
            return _Attached(_USUAL_IMAGE, _LARGE_IMAGE)
        case "pdf":
            return _Attached(_USUAL_IMAGE * (file.size // 50_000 + 1), _LARGE_IMAGE * (file.size // 10_000 + 1))
        case _:
            return _Attached(file.size // _CHARACTERS_PER_TOKEN, file.size // _CHARACTERS_PER_TOKEN)


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
