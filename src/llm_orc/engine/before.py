"""What earlier attempts at a run have said beside answers, and the next one keeps to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.path import AgentPath, above, item_of, list_of
from llm_orc.agents.tool_log.actions import ToolAction
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import (
    AgentFailed,
    AgentFinished,
    AgentSkipped,
    AgentStarted,
    RoundStarted,
    ToolFinished,
    ToolsAsked,
    ToolStarted,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from llm_orc.engine.events import RecordedEvent


@dataclass(frozen=True, slots=True)
class Before:
    """`without`: the agents that have started, and without whom, which they do again (see `AgentStarted`).

    `settled`: how agents ended that have no answer and are not asked again (see `SettledRounds`). `actions`: what
    agents without an answer have done with their tools.
    """

    without: Mapping[str, tuple[AgentPath, ...]] = field(default_factory=dict)
    settled: Mapping[str, AgentFailed | AgentSkipped] = field(default_factory=dict)
    actions: Mapping[str, Sequence[ToolAction]] = field(default_factory=dict)


def actions_of(events: Iterable[RecordedEvent]) -> list[ToolAction]:
    """Return what the events say of tools."""
    return [action for event in events if (action := _action_of(event)) is not None]


def _action_of(event: RecordedEvent) -> ToolAction | None:
    match event:
        case ToolsAsked(turn=action) | ToolStarted(tool=action) | ToolFinished(tool=action):
            return action
        case _:
            return None


class OpenActions:
    """What agents have done with their tools, until they have answered. Folds the events of all attempts."""

    def __init__(self) -> None:
        self.by_agent: dict[str, list[ToolAction]] = {}

    def apply(self, event: RecordedEvent) -> None:
        if isinstance(event, ToolsAsked | ToolStarted | ToolFinished):
            self.by_agent.setdefault(event.agent, []).extend(actions_of((event,)))
        elif isinstance(event, AgentFinished):
            self.by_agent.pop(event.agent, None)


class LateAnswers:
    """Folds the starts of agents. What an earlier attempt has said counts until the agent starts again."""

    def __init__(self) -> None:
        self.without: dict[str, tuple[AgentPath, ...]] = {}

    def apply(self, event: AgentStarted) -> None:
        if not event.agent.endswith("]"):  # an item waits for nobody
            self.without[event.agent] = event.without

    def late_for(self, answered: Container[str]) -> dict[str, tuple[str, ...]]:
        """Return, for each of the agents that have answered and were late, those that had started without it."""
        late: dict[str, tuple[str, ...]] = {}
        for path, others in self.without.items():
            for other in others:
                if other in answered:
                    late[other] = (*late.get(other, ()), path)
        return late


class SettledRounds:
    """Which rounds of loops were followed by another, and how agents in them ended without an answer.

    What followed was based on exactly this: if an agent that failed were asked again, the condition of the loop
    could be decided otherwise than before. Folds the events of all attempts at a run.
    """

    def __init__(self) -> None:
        self._begun: dict[str, RoundStarted] = {}  # the last round of each loop
        self._without_answer: dict[str, AgentFailed | AgentSkipped] = {}

    def apply(self, event: RecordedEvent) -> None:
        match event:
            case RoundStarted():
                last = self._begun.get(event.agent)
                if last is None or event.number > last.number:
                    self._begun[event.agent] = event
            case AgentFailed() | AgentSkipped() if "[" in event.agent:
                self._without_answer[event.agent] = event
            case AgentFinished():
                self._without_answer.pop(event.agent, None)
            case _:
                pass

    @property
    def ends(self) -> dict[str, AgentFailed | AgentSkipped]:
        """The ends of agents without an answer, by path, as long as their rounds count as they are."""
        return {path: event for path, event in self._without_answer.items() if self._is_settled(path)}

    def _is_settled(self, path: str) -> bool:
        for around in above(path):
            last = self._begun.get(list_of(around))
            if last is not None and int(around[len(last.agent) + 1 : -1]) < last.number:
                return True
        return False

    def kept(self, asked: Container[str]) -> tuple[RoundStarted | AgentFailed | AgentSkipped, ...]:
        """Return the events that say the same in a new run, in which the agents in `asked` are asked again."""
        kept = SettledRounds()
        for loop, last in self._begun.items():
            rounds = range(1, last.number)
            number = next((n for n in rounds if item_of(AgentPath(loop), n) in asked), last.number)
            kept.apply(replace(last, number=number))
        for path, event in self._without_answer.items():
            if path not in asked:
                kept.apply(event)
        return (*(last for last in kept._begun.values() if last.number > 1), *kept.ends.values())
