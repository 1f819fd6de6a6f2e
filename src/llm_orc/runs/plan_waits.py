"""Plans that are used up, as events tell of them: in the record of a run, and in a store of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import PlanLimitReached
from llm_orc.providers.limits.plans import UsedUp

if TYPE_CHECKING:
    from llm_orc.engine.events import PlanWaitStarted


def used_up_of(wait: PlanWaitStarted) -> UsedUp:
    """Return what the event says of the plan."""
    error = PlanLimitReached(
        wait.error.message,
        hint=wait.error.hint,
        resets_at=wait.error.resets_at,
        is_of_model=wait.model is not None,
    )
    return UsedUp(wait.access, wait.model, wait.until, wait.is_told, error)
