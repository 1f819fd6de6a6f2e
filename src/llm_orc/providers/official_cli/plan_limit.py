"""A plan that is used up: said once, with the time of its end where that is known and can be true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llm_orc.errors import RateLimited
from llm_orc.providers.failures import LONGEST_WAIT_S

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target

_FARTHEST_RESET_S = 366 * 24 * 3600.0


def limit_of_plan(target: Target, sentence: str, resets_at: float | None) -> RateLimited:
    """`sentence` is the program's own; `resets_at` in Unix seconds, unknown where no plan could reset so late."""
    wait_s = None if resets_at is None else max(0.0, resets_at - time.time())
    if wait_s is not None and wait_s > _FARTHEST_RESET_S:
        wait_s = None
    until = ""
    if wait_s is not None and resets_at is not None:
        until = time.strftime("; it resets at %Y-%m-%d %H:%M UTC", time.gmtime(max(0.0, resets_at)))
    return RateLimited(
        f"{target}: a limit of the plan is reached" + (f": {sentence}" if sentence else "") + until,
        hint="Wait for it, or allow another way with `llm-orc auth prefer`: `api-key` is metered, paid per token.",
        status=429,
        provider_message=sentence,
        retry_after_s=wait_s,
    )


def ends_soon(error: LlmOrcError) -> bool:
    """True of a limit that says that it is over in a moment: any other is not worth another try."""
    if not isinstance(error, RateLimited) or error.retry_after_s is None:
        return False
    return error.retry_after_s <= LONGEST_WAIT_S
