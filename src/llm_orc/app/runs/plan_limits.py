"""The plans that a run has found used up, from its record: so that it calls none of them before its reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import PlanLimitReached
from llm_orc.providers.limits.plan_limit import reset_moment
from llm_orc.runs.plan_waits import used_up_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.providers.limits.plans import UsedUp
    from llm_orc.runs.state import RunState


def plans_used_up(state: RunState, now: float) -> tuple[UsedUp, ...]:
    """Return the plans that agents without an answer need and that are used up at `now` (Unix seconds)."""
    waits = [agent.known_limit() for agent in state.agents.values() if agent.output is None]
    return tuple(used_up_of(wait) for wait in waits if wait is not None and wait.until > now)


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
