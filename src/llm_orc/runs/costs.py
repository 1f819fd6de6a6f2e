"""A run's cost so far, from its events: what is known, what is unknown, and what counts against its limits.

Limits count each attempt at its cost, or at the maximum that was reserved for it; a run without a limit records no
attempts, so `uncounted` is what has to be counted if it is resumed with a limit. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from llm_orc.auth.access import Billing
from llm_orc.engine.events import (
    AgentFailed,
    AgentFinished,
    AnswerRejected,
    AttemptSettled,
    AttemptStarted,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    RunStarted,
    ToolsAsked,
)
from llm_orc.errors import BudgetExceeded, DailyBudgetExceeded

if TYPE_CHECKING:
    from llm_orc.agents.output import AgentOutput, ModelCall
    from llm_orc.agents.path import AgentPath
    from llm_orc.auth.access import Access
    from llm_orc.engine.events import ErrorInfo, RecordedEvent


_NOT_SENT = frozenset({BudgetExceeded.code, DailyBudgetExceeded.code})


class CallsBefore:
    """The calls of each agent before its last one, in all attempts of the run.

    Their answers were sent back, or asked for tools. Feed it with `apply`, in order.
    """

    def __init__(self) -> None:
        self._by_agent: dict[str, list[ModelCall]] = {}

    def apply(self, event: RecordedEvent) -> None:
        if isinstance(event, AnswerRejected):
            self._by_agent.setdefault(event.agent, []).append(event.call)
        elif isinstance(event, ToolsAsked):
            self._by_agent.setdefault(event.agent, []).append(event.turn.call)

    def and_of(self, agent: str, output: AgentOutput | None) -> tuple[ModelCall, ...]:
        """Return all that has been paid for, with the calls of its answer if it has one."""
        return (*self._by_agent.get(agent, ()), *(output.calls if output else ()))


class CostsSoFar:
    """Feed it with `apply`, in order."""

    def __init__(self) -> None:
        self.known_usd = 0.0
        self.unknown = 0  # answers of unknown cost, of models that may cost
        self.calls = 0  # attempts, over all accesses
        self.counted_usd = 0.0
        self.counted_tokens = 0
        self.counts_cost = False  # a limit counts the cost of this process's attempts
        self.counts_tokens = False  # likewise
        self._counts_calls = False  # they are events
        self.uncounted: list[
            AgentPath
        ] = []  # the agent of each metered attempt that no limit has counted and that may be billed
        self.uncounted_tokens: list[AgentPath] = []  # of each attempt whose tokens are unknown and not counted
        self.lost = 0  # attempts of models that may cost, which may be billed and came to no answer
        self.lost_on_plan = 0  # of them, those on a plan's credits
        self._under_way: dict[AgentPath, Billing] = {}  # who pays for each agent under way
        self._most: dict[int, AttemptStarted] = {}  # attempts under way

    @property
    def unanswered(self) -> int:
        """Attempts of models that may cost, which may be billed and have no answer (yet)."""
        return self.lost + sum(billing.may_cost for billing in self._under_way.values())

    @property
    def unanswered_on_plan(self) -> int:
        """Those of them that are on a plan's credits."""
        return self.lost_on_plan + sum(one is Billing.PLAN_CREDITS for one in self._under_way.values())

    def apply(self, event: RecordedEvent) -> None:
        match event:
            case AttemptStarted():
                self.calls += 1
                self.counted_usd += event.most_usd if self.counts_cost else 0.0
                self.counted_tokens += event.most_tokens if self.counts_tokens else 0
                self._most[event.number] = event
            case AttemptSettled():
                self._settle(event)
            case RunStarted():
                self.stop()
                self.counts_cost, self._counts_calls = "cost" in event.limits, bool(event.limits)
                self.counts_tokens = "tokens" in event.limits
            case _:
                self._agent_event(event)

    def _settle(self, event: AttemptSettled) -> None:
        if not event.number:  # told by the next process, which knows how the one before it ended
            self.stop()
            self.counted_usd += event.counts_usd
            self.counted_tokens += event.counts_tokens
            uncounted = self.uncounted_tokens if event.counts_tokens else self.uncounted
            if event.agent in uncounted:
                uncounted.remove(event.agent)
            return
        most = self._most.pop(event.number, None)
        if self.counts_cost:
            self.counted_usd += event.counts_usd - (0.0 if most is None else most.most_usd)
        if self.counts_tokens:
            self.counted_tokens += event.counts_tokens - (0 if most is None else most.most_tokens)

    def _agent_event(self, event: RecordedEvent) -> None:
        match event:
            case ModelChosen():
                self._begin(event.agent, event.access)
            case ModelRetrying():
                self._failed(event.agent, event.error)
                self._count_call()
            case AnswerRejected():
                self._answered(event.agent, event.call)
                if event.attempt:
                    self._count_call()
                else:
                    self._under_way.pop(event.agent, None)
            case ToolsAsked():  # if the model is called again, it is told
                self._answered(event.agent, event.turn.call)
                self._under_way.pop(event.agent, None)
            case ModelSwitched():
                self._failed(event.agent, event.error)
                self._begin(event.agent, event.access)
            case AgentFailed():
                self._failed(event.agent, event.error)
                began = self._under_way.pop(event.agent, None) is not None
                if began and not self._counts_calls and event.error.code in _NOT_SENT:
                    self.calls -= 1
            case AgentFinished():
                self._finished(event)
            case _:
                pass

    def stop(self) -> None:
        """The process that made the calls is gone: calls in flight may be billed, without an answer."""
        for agent, billing in self._under_way.items():
            self._lose(agent, billing)
        self._under_way.clear()

    def _begin(self, agent: AgentPath, access: Access) -> None:
        self._under_way[agent] = access.billing
        self._count_call()

    def _count_call(self) -> None:
        if not self._counts_calls:
            self.calls += 1

    def _failed(self, agent: AgentPath, error: ErrorInfo) -> None:
        billing = self._under_way.get(agent)
        if error.may_be_billed and billing is not None:
            self._lose(agent, billing)

    def _lose(self, agent: AgentPath, billing: Billing) -> None:
        if not self.counts_tokens:
            self.uncounted_tokens.append(agent)
        match billing:
            case Billing.LOCAL | Billing.SUBSCRIPTION:
                return
            case Billing.PLAN_CREDITS:  # no limit of money counts it: its price is not known
                self.lost_on_plan += 1
            case Billing.METERED:
                if not self.counts_cost:
                    self.uncounted.append(agent)
            case _:
                assert_never(billing)
        self.lost += 1

    def _finished(self, event: AgentFinished) -> None:
        if self._under_way.pop(event.agent, None) is None:
            return  # kept from another run, which paid for it
        for call in event.output.calls:
            self._answered(event.agent, call)

    def _answered(self, agent: AgentPath, call: ModelCall) -> None:
        cost_usd, tokens = call.cost_usd, call.usage.tokens
        if not self.counts_tokens:
            self.counted_tokens += tokens or 0
            if tokens is None:
                self.uncounted_tokens.append(agent)
        if cost_usd is None:
            self.unknown += 1
        else:
            self.known_usd += cost_usd
        if not self.counts_cost:
            self.counted_usd += cost_usd or 0.0
            if cost_usd is None and call.access.billing is Billing.METERED:
                self.uncounted.append(agent)
