"""The time limit of an agent."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.errors import AgentTimedOut
from llm_orc.net.patience import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.agents.turn import TimeLimits


@asynccontextmanager
async def within_time_limit(
    agent: str, limit_s: float, hint: str, *, may_be_billed: bool = True, limits: TimeLimits | None = None
) -> AsyncIterator[None]:
    """Raises `AgentTimedOut` where what is inside takes longer than `limit_s` seconds.

    `limits`: it is the agent's own among these from now on.
    """
    limit = Patience(limit_s)
    if limits is not None:
        limits.own = limit
    limit.start()
    try:
        async with limit:
            yield
    except TimeoutError as e:
        if not limit.is_over:
            raise
        error = AgentTimedOut(f"agent `{agent}` took longer than its limit of {limit_s:g} s", hint=hint)
        error.may_be_billed = may_be_billed
        raise error from e
