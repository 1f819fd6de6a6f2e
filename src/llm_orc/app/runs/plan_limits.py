"""The plans that a run has found used up, from its record: so that it calls none of them before its reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import PlanLimitReached
from llm_orc.providers.limits.plan_limit import reset_moment
from llm_orc.providers.limits.plans import UsedUp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.engine.events import ErrorInfo
    from llm_orc.runs.state import AgentState, RunState


def plans_used_up(state: RunState, now: float) -> tuple[UsedUp, ...]:
    """Return the plans that agents without an answer need and that are used up at `now` (Unix seconds)."""
    found = [_used_up(agent) for agent in state.agents.values() if agent.output is None]
    return tuple(one for one in found if one is not None and one.until > now)


def _used_up(agent: AgentState) -> UsedUp | None:
    wait = agent.known_limit()
    if wait is None:
        return None
    return UsedUp(wait.access, wait.model, wait.until, wait.is_told, _as_limit(wait.error, wait.model))


def _as_limit(error: ErrorInfo, model: str | None) -> PlanLimitReached:
    return PlanLimitReached(
        error.message, hint=error.hint, resets_at=error.resets_at, is_of_model=model is not None
    )


def refuse_before_reset(used_up: Sequence[UsedUp], run_id: str) -> None:
    """Raise `PlanLimitReached` if the run needs one of these plans, which reset later."""
    if used_up:
        last = max(used_up, key=lambda one: one.until)
        raise PlanLimitReached(
            f"the plan of `{last.access.provider}` is used up and resets at {reset_moment(last.until)};"
            " nothing was called",
            hint=f"Wait for it with `llm-orc resume {run_id} --wait-for-plan`, or call it now with `--now`.",
            resets_at=last.until,
        )
