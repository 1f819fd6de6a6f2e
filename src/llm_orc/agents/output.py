"""An agent's output: its answer, as text and perhaps as data, and the model calls that it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from llm_orc.agents.tool_talk.talk import ToolsWanted
from llm_orc.auth.access import Access
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import NO_USAGE, StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A request that a model answered: its access, usage and cost."""

    model: str
    access: Access
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None  # None: the price is unknown; 0.0: the call is free
    stop_reason: StopReason = "end_turn"
    request_id: str = ""
    stop_word: str = ""  # the provider's own word, if `stop_reason` is `other`


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """How the items ended that an agent runs over; `total` has those too that have not ended."""

    total: int
    completed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Rounds:
    """How a loop has ended: after `number` rounds, by its condition or because it had all that it may have.

    `kept` is the round whose answer is the loop's; None: no round has one.
    """

    number: int
    ended: Literal["until", "exhausted"]
    kept: int | None = None


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """How often the agent was asked, and how many of these answers agree on this one."""

    asked: int
    agreed: int


@dataclass(frozen=True, slots=True)
class EvidenceCounts:
    """How many quotes the answer had, and how many of them occur in no source, so their items were dropped."""

    quotes: int
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class CachedFrom:
    """Where an answer from the cache was first given: by which agent of which run, and when (Unix seconds).

    It cost `cost_usd` then, and nothing now. `model` None: no model was asked.
    """

    run_id: str
    agent: str
    at: float
    model: str | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class AgentOutput:
    """A finished answer. `calls` are those of this agent only, in order; empty if it called no model.

    Calls whose answers were sent back are not among them: each is an event. `validation` says how the answer came
    to satisfy its schema: `enforced` by the provider, `prompted`, or `repaired N`; empty: it has none.
    `cached`: it is from the cache, and nobody was asked for it.

    A sum over them is unknown (None) if one part is. `model` and `access` are those of the last call.
    """

    text: str
    calls: tuple[ModelCall, ...]
    data: JsonValue | None = None
    items: ItemCounts | None = None  # if the agent ran over items
    samples: SampleCounts | None = None  # if it was asked several times
    rounds: Rounds | None = None
    cached: CachedFrom | None = None
    within: Mapping[str, str] = field(default_factory=dict)  # in files of earlier releases: answers within it
    ensemble: str = ""  # of an agent that runs one of several ensembles: the one that ran
    validation: str = ""
    evidence: EvidenceCounts | None = None  # if its quotes were checked
    saved_as: str = ""  # the file below the working directory that it is written to
    is_enforced: bool = False  # of the last call: the provider was given the schema
    wants: ToolsWanted | None = None  # it is no answer: what the model wants first
    stands_in: bool = False  # for others that failed: to those that depend on the agent it counts as none

    @property
    def last(self) -> ModelCall | None:
        """The call whose answer this is; None if no model was called."""
        return self.calls[-1] if self.calls else None

    @property
    def model(self) -> str | None:
        if self.cached is not None:
            return self.cached.model
        return self.calls[-1].model if self.calls else None

    @property
    def access(self) -> Access | None:
        return self.calls[-1].access if self.calls else None

    @property
    def usage(self) -> Usage:
        return usage_of(self.calls)

    @property
    def cost_usd(self) -> float | None:
        return cost_of(self.calls)


def usage_of(calls: Sequence[ModelCall]) -> Usage:
    """Return the usage of all calls."""
    if len(calls) == 1:
        return calls[0].usage
    total = NO_USAGE
    for call in calls:
        total = total.plus(call.usage)
    return total


def cost_of(calls: Sequence[ModelCall]) -> float | None:
    """Return the cost of all calls; None if the cost of one is unknown."""
    total = 0.0
    for call in calls:
        if call.cost_usd is None:
            return None
        total += call.cost_usd
    return total
