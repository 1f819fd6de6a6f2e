"""Turn what the call of an agent tells into events."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from llm_orc.agents.tool_log.actions import ToolBegun, ToolEnded
from llm_orc.catalog.table import row_of
from llm_orc.engine.events import (
    AgentDelta,
    AgentNotice,
    AnswerRejected,
    ErrorInfo,
    ItemsStarted,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
    RoundStarted,
    ToolFinished,
    ToolsAsked,
    ToolStarted,
)
from llm_orc.errors import PlanLimitReached

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.agents.output import ModelCall
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.tool_log.actions import ToolAction
    from llm_orc.auth.access import Access
    from llm_orc.engine.events import EventSink, ToolEvent
    from llm_orc.engine.shared import Clock
    from llm_orc.errors import LlmOrcError
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.limits.plans import UsedUp


def payload_of(error: LlmOrcError) -> JsonValue:
    """Return what a program wrote along with its failure; None: nothing."""
    return cast("JsonValue", error.payload)  # errors know no JSON


def error_info(error: LlmOrcError) -> ErrorInfo:
    resets_at = error.resets_at if isinstance(error, PlanLimitReached) else None
    return ErrorInfo(
        error.code, error.message, error.hint, error.exit_code, error.may_be_billed, resets_at, payload_of(error)
    )


def plan_wait_started(for_plan: UsedUp, agent: AgentPath, at: float) -> PlanWaitStarted:
    return PlanWaitStarted(
        at,
        agent,
        for_plan.access,
        for_plan.model,
        for_plan.until,
        for_plan.is_told,
        error_info(for_plan.refusal()),
    )


def tool_event(action: ToolAction, agent: AgentPath, at: float) -> ToolEvent:
    """Return the event that says what an agent does with its tools."""
    if isinstance(action, ToolBegun):
        return ToolStarted(at, agent, action)
    return ToolFinished(at, agent, action) if isinstance(action, ToolEnded) else ToolsAsked(at, agent, action)


class RecordedActions:
    """What an agent does with its tools, in the record of its run. See `agents.tool_log.actions.ActionLog`."""

    __slots__ = ("_agent", "_clock", "_sink", "earlier")

    def __init__(self, agent: AgentPath, sink: EventSink, clock: Clock, earlier: Sequence[ToolAction]) -> None:
        self.earlier = earlier
        self._agent, self._sink, self._clock = agent, sink, clock

    async def keep(self, action: ToolAction) -> None:
        await self._sink.commit(tool_event(action, self._agent, self._clock.now()))


class EventObserver:
    """Turns the callbacks of an agent's call into events. One for each agent."""

    __slots__ = ("agent", "clock", "sink")

    def __init__(self, agent: AgentPath, sink: EventSink, clock: Clock) -> None:
        self.agent, self.sink, self.clock = agent, sink, clock

    def calling(self, model: str, access: Access) -> None:
        self.sink.post(ModelChosen(self.clock.now(), self.agent, model, access))

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        self.sink.post(ModelSwitched(self.clock.now(), self.agent, model, access, error_info(because)))

    def notice(self, message: str) -> None:
        self.sink.post(AgentNotice(self.clock.now(), self.agent, message))

    def items(self, total: int) -> None:
        self.sink.post(ItemsStarted(self.clock.now(), self.agent, total))

    def round(self, number: int, total: int) -> None:
        self.sink.post(RoundStarted(self.clock.now(), self.agent, number, total))

    def text(self, piece: str) -> None:
        self.sink.delta(AgentDelta(self.agent, piece))

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self.sink.post(ModelRetrying(self.clock.now(), self.agent, attempt, delay_s, error_info(error)))

    def rejected(self, call: ModelCall, error: LlmOrcError, attempt: int) -> None:
        self.sink.post(AnswerRejected(self.clock.now(), self.agent, attempt, call, error_info(error)))

    def waiting(self, for_plan: UsedUp) -> None:
        self.sink.post(plan_wait_started(for_plan, self.agent, self.clock.now()))

    def wait_over(self) -> None:
        self.sink.post(PlanWaitEnded(self.clock.now(), self.agent))


class FirstWord(EventObserver):
    """Tells when the answer begins, or that the provider that is called caches nothing."""

    __slots__ = ("_tell",)

    def __init__(self, observer: EventObserver, tell: Callable[[], None]) -> None:
        super().__init__(observer.agent, observer.sink, observer.clock)
        self._tell = tell

    def calling(self, model: str, access: Access) -> None:
        super().calling(model, access)
        self._look(access)

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        super().switched(model, access, because)
        self._look(access)

    def text(self, piece: str) -> None:
        super().text(piece)
        self._tell()

    def _look(self, access: Access) -> None:
        row = row_of(access.provider)
        if row is None or not row.caches_prompts:
            self._tell()
