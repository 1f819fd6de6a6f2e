"""When an agent may start, as those that it needs end or without some; and whether it runs or is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.conditions.evaluate import is_true
from llm_orc.agents.conditions.parse import parse_condition
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import SkipReason
from llm_orc.errors import ConditionUndecided, ReferenceWithoutValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why an agent doesn't run: a false `condition`, which is no failure, or `because` of agents that failed."""

    reason: SkipReason
    because: tuple[str, ...] = ()


def left_out_by(agent: AgentSpec, needs: Sequence[str], scope: Scope) -> LeftOut | None:
    """Return why the agent is left out; None: it runs. Raises `ConditionUndecided`.

    An agent whose condition only lacks the answer of another follows its fate. In a rehearsal, an agent whose
    condition can't be decided on canned answers runs. In a file of an earlier release, a condition on a field that
    is not there is false.

    Agents that were left out by their conditions count neither for nor against it. If it has no others, it is left
    out as well.
    """
    missing = _because(needs, scope)
    if needs and not _is_enough(agent, needs, missing, scope):
        return missing or LeftOut("dependency", tuple(name for name in needs if not has_answered(name, scope)))
    if agent.when is None:
        return None
    try:
        return None if is_true(agent.when, scope) else LeftOut("condition")
    except ConditionUndecided as e:
        if e.absent is not None:
            return _because([name for name in needs if name in agents_in_condition(agent, scope)], scope)
        if scope.is_rehearsal:
            return None
        if agent.is_earlier and isinstance(e.__cause__, ReferenceWithoutValue):
            return LeftOut("condition")
        raise


def has_answered(name: str, scope: Scope) -> bool:
    """Return whether there is an answer that counts as one."""
    return name in scope.outputs and not scope.outputs[name].stands_in


def handles_failure(agent: AgentSpec, needs: Sequence[str], scope: Scope) -> bool:
    """Return whether the agent, which runs, stands in for others: none has answered, and one has failed."""
    if not agent.handles_failure or any(has_answered(name, scope) for name in needs):
        return False
    return any(name not in scope.skipped and name not in scope.pending for name in needs)


def agents_in_condition(agent: AgentSpec, scope: Scope) -> frozenset[str]:
    """Return the agents that the condition of `agent` refers to: it is decided when they have ended."""
    if agent.when is None:
        return frozenset()
    targets = (scope.names.resolve(reference) for reference in parse_condition(agent.when).references)
    return frozenset(target.name for target in targets if target.root == "agent" and not target.up)


def _is_enough(agent: AgentSpec, needs: Sequence[str], missing: LeftOut | None, scope: Scope) -> bool:
    answered = sum(has_answered(name, scope) for name in needs)
    match agent.requires:
        case "all":
            return answered > 0 and (missing is None or missing.reason == "condition")
        case "any":
            return answered > 0
        case "none":
            return True
        case number:
            return answered >= number


def _because(needs: Sequence[str], scope: Scope) -> LeftOut | None:
    """Return which of `needs` have ended without an answer: those that failed, else those that were left out."""
    without = tuple(name for name in needs if not has_answered(name, scope) and name not in scope.pending)
    failed = tuple(name for name in without if name not in scope.skipped)
    if failed:
        return LeftOut("dependency", failed)
    return LeftOut("condition", without) if without else None


class Readiness:
    """What the agents of one graph still wait for, as others end.

    An agent with `within`, or with a number in `requires`, may start before all that it needs have ended. `missed`
    has those that it starts without because the record of an earlier attempt says that it did; one that started
    then with the end of all others known waits for them again.
    """

    def __init__(self, plan: Plan, scope: Scope, missed: Mapping[str, frozenset[str]]) -> None:
        """`scope` is that of the whole graph: its `pending` are the agents that have not ended."""
        self._plan, self._scope, self._missed = plan, scope, missed
        self._specs = {spec.name: spec for spec in plan.order}
        self._missing = {name: len(needs) - len(missed.get(name, ())) for name, needs in plan.needs.items()}
        self._answered = dict.fromkeys(plan.needs, 0)  # of those that each agent needs
        self._ready: set[str] = set()
        self._overdue: set[str] = set()
        self._untimed: dict[str, list[AgentSpec]] = {}  # whose time begins with the start of this agent
        for spec in plan.order:
            for needed in plan.needs[spec.name] if spec.within_s is not None else ():
                self._untimed.setdefault(needed, []).append(spec)

    def at_first(self) -> Iterator[AgentSpec]:
        """Yield the agents that wait for none."""
        return (spec for spec in self._plan.order if not self._missing[spec.name] and self._becomes_ready(spec))

    def after(self, ended: str) -> Iterator[AgentSpec]:
        """Yield the agents that may start, now that this one has ended."""
        for name in self._plan.dependants[ended]:
            if ended in self._missed.get(name, ()):
                continue
            self._missing[name] -= 1
            self._answered[name] += has_answered(ended, self._scope)
            if self._becomes_ready(self._specs[name]):
                yield self._specs[name]

    def timed_from(self, started: str) -> list[AgentSpec]:
        """Return the agents whose `within` begins, as this one is the first of those they need that starts."""
        specs = self._untimed.pop(started, [])
        for others in self._untimed.values() if specs else ():
            others[:] = (spec for spec in others if spec not in specs)
        return specs

    def overdue(self, spec: AgentSpec) -> bool:
        """The agent's `within` is over. Return whether it starts now."""
        self._overdue.add(spec.name)
        return self._becomes_ready(spec)

    def starts_in_time(self, name: str) -> bool:
        """Return whether the agent will start when its `within` is over, whatever becomes of the others."""
        return name not in self._ready and name in self._scope.pending and self._has_least(self._specs[name])

    def without(self, name: str) -> tuple[str, ...]:
        """Return those that an agent which starts now does without: whatever they still say is late for it."""
        missed = self._missed.get(name, ())
        return tuple(other for other in self._plan.needs[name] if other in self._scope.pending or other in missed)

    def _becomes_ready(self, spec: AgentSpec) -> bool:
        name = spec.name
        if name in self._ready or name not in self._scope.pending:
            return False
        if self._missing[name] and not self._is_enough(spec):
            return False
        self._ready.add(name)
        return True

    def _is_enough(self, spec: AgentSpec) -> bool:
        """Whether the agent starts although others that it needs have not ended."""
        is_number = isinstance(spec.requires, int)
        is_known = spec.name in self._missed  # without whom it starts: without nobody else, if they end in time
        if not (is_number and not is_known if spec.within_s is None else spec.name in self._overdue):
            return False
        return self._has_least(spec)

    def _has_least(self, spec: AgentSpec) -> bool:
        """Whether those that have ended are enough for an agent that starts without the others."""
        least = spec.requires if isinstance(spec.requires, int) else 0 if spec.requires == "none" else 1
        if self._answered[spec.name] < least:
            return False
        return agents_in_condition(spec, self._scope).isdisjoint(self._scope.pending)
