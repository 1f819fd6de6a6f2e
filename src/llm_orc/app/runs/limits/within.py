"""What earlier processes of a run have spent below each ceiling within it, from its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.budgets.ceilings import NOTHING, Spent
from llm_orc.engine.events import AttemptSettled, AttemptStarted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.uses.limits import CeilingsWithin
    from llm_orc.engine.events import RecordedEvent


def spent_within(ceilings: CeilingsWithin, events: Iterable[RecordedEvent]) -> dict[tuple[AgentPath, str], Spent]:
    """Return what counts below each bound: a run with limits has recorded each attempt that it sent.

    An attempt that has not ended counts at its maximum.
    """
    attempts: dict[int, tuple[AgentPath, float, int]] = {}
    for event in events:
        match event:
            case AttemptStarted():
                attempts[event.number] = (event.agent, event.most_usd, event.most_tokens)
            case AttemptSettled() if event.number in attempts:
                attempts[event.number] = (event.agent, event.counts_usd, event.counts_tokens)
            case _:
                pass
    spent: dict[tuple[AgentPath, str], Spent] = {}
    for agent, usd, tokens in attempts.values():
        for bound in ceilings.around(agent):
            key = (bound.path, bound.of)
            before = spent.get(key, NOTHING)
            spent[key] = Spent(before.usd + usd, before.calls + 1, before.tokens + tokens)
    return spent
