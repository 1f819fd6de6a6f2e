"""What a run and all that runs within its agents have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.files.access import NO_FILES, FileAccess
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.turn import CallAgent, ChildRunner, TimeLimits
from llm_orc.dataclass import dataclass
from llm_orc.engine.before import Before
from llm_orc.engine.events import EventSink
from llm_orc.engine.plan import Plan
from llm_orc.engine.slots import Slots

if TYPE_CHECKING:
    from llm_orc.agents.path import AgentPath


class Clock(Protocol):
    """`now` is Unix seconds, for people; `monotonic` is for durations."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class SaveAnswer(Protocol):
    """Writes answers of agents to files. Both raise `SaveFailed`."""

    def prepare(self, agent: AgentPath, path: str) -> None:
        """Raise what can be known before the agent is asked."""
        ...

    async def save(self, agent: AgentPath, path: str, output: AgentOutput) -> None: ...


@dataclass(frozen=True, slots=True)
class Shared:
    """What a run and all that runs within its agents have in common. `done` has answers by path.

    `before` is what else earlier attempts at the run have said.
    `passes` are exceptions that are no agent's failure, but of what carries the whole run.
    """

    call: CallAgent
    sink: EventSink
    clock: Clock
    slots: Slots
    child_runs: Callable[[Mapping[str, Plan], Shared], ChildRunner]
    done: Mapping[str, AgentOutput] = field(default_factory=dict)
    passes: type[Exception] | tuple[type[Exception], ...] = ()
    run_id: str = ""
    before: Before = Before()
    is_rehearsal: bool = False
    saver: SaveAnswer | None = None  # None: nothing is written
    files: FileAccess = NO_FILES
    limits: TimeLimits | None = None  # those of the agents around
