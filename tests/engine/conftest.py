"""A sink that keeps what it is given, and agents whose calls are scripted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.turn import AgentTurn
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import AgentDelta, RecordedEvent, RunEvent

ACCESS = Access("pretend", "none", Billing.LOCAL, "no credential needed", "http://127.0.0.1:1")


class RealClock:
    @staticmethod
    def now() -> float:
        return time.time()

    @staticmethod
    def monotonic() -> float:
        return time.monotonic()

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class KeptEvents:
    """An `EventSink` in memory."""

    events: list[RunEvent] = field(default_factory=list)

    def post(self, event: RecordedEvent) -> None:
        self.events.append(event)

    async def commit(self, event: RecordedEvent) -> None:
        await asyncio.sleep(0)
        self.events.append(event)

    def delta(self, event: AgentDelta) -> None:
        self.events.append(event)

    def of(self, kind: type[RunEvent]) -> list[RunEvent]:
        return [e for e in self.events if isinstance(e, kind)]


Behaviour = Callable[[AgentTurn], Awaitable[str]]


@dataclass
class ScriptedAgents:
    """A `CallAgent`: each agent answers as its behaviour says, the others with `answer of NAME`."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)
    under_way: int = 0
    most_under_way: int = 0

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        name = turn.agent.name
        self.called.append(name)
        self.prompts[name] = turn.prompt
        turn.observer.calling("model-1", ACCESS)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            behaviour = self.behaviours.get(name)
            text = f"answer of {name}" if behaviour is None else await behaviour(turn)
        finally:
            self.under_way -= 1
        return AgentOutput(text, (ModelCall("model-1", ACCESS),))
