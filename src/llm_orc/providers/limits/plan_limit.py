"""A plan that is used up: reported once, with the reset time if it is known and plausible."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llm_orc.errors import PlanLimitReached, RateLimited
from llm_orc.providers.base import LONGEST_WAIT_S

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target

_FARTHEST_RESET_S = 366 * 24 * 3600.0


def limit_of_plan(
    target: Target, sentence: str, resets_at: float | None, *, is_of_model: bool = False
) -> PlanLimitReached:
    """Return the error. `sentence` is the program's; `resets_at` is in Unix seconds, ignored if implausible.

    `is_of_model`: the plan still answers with its other models.
    """
    wait_s = None if resets_at is None else max(0.0, resets_at - time.time())
    if wait_s is not None and wait_s > _FARTHEST_RESET_S:
        wait_s = resets_at = None
    until = "" if resets_at is None else f"; it resets at {reset_moment(resets_at)}"
    return PlanLimitReached(
        f"{target}: a limit of the plan is reached" + (f": {sentence}" if sentence else "") + until,
        hint="Wait for it with `--wait-for-plan`, or allow another auth method with `llm-orc auth prefer`;"
        " `api-key` costs per token.",
        status=429,
        provider_message=sentence,
        retry_after_s=wait_s,
        resets_at=resets_at,
        is_of_model=is_of_model,
    )


def reset_moment(unix_s: float) -> str:
    """`2026-11-27 18:30 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(max(0.0, unix_s)))


def ends_soon(error: LlmOrcError) -> bool:
    """True for a limit that ends in a moment; any other is not worth a retry."""
    if not isinstance(error, RateLimited) or error.retry_after_s is None:
        return False
    return error.retry_after_s <= LONGEST_WAIT_S


def is_of_plan(error: LlmOrcError) -> bool:
    """True for a limit of a plan that doesn't end in a moment."""
    return isinstance(error, PlanLimitReached) and not ends_soon(error)
