"""Whether an agent whose dependencies have ended runs, or why it is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.conditions.evaluate import is_true
from llm_orc.agents.conditions.parse import parse_condition
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import SkipReason
from llm_orc.errors import ConditionUndecided, ReferenceWithoutValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec


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
        return missing
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
    return name in scope.outputs and name not in scope.handled


def handles_failure(agent: AgentSpec, needs: Sequence[str], scope: Scope) -> bool:
    """Return whether the agent, which runs, stands in for others: none has answered, and one has failed."""
    if not agent.handles_failure or any(has_answered(name, scope) for name in needs):
        return False
    return any(name not in scope.skipped for name in needs)


def agents_in_condition(agent: AgentSpec, scope: Scope) -> frozenset[str]:
    """Return the agents that the condition of `agent` refers to: it is decided when they have ended."""
    if agent.when is None:
        return frozenset()
    targets = (scope.names.resolve(reference) for reference in parse_condition(agent.when).references)
    return frozenset(target.name for target in targets if target.root == "agent")


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
    """Return which of `needs` have no answer: those that failed, else those that were left out by a condition."""
    without = tuple(name for name in needs if not has_answered(name, scope))
    failed = tuple(name for name in without if name not in scope.skipped)
    if failed:
        return LeftOut("dependency", failed)
    return LeftOut("condition", without) if without else None
