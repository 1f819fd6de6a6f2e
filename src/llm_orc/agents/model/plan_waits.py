"""What a call over a plan must not do: be sent when the plan is used up, or give way to something dearer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.agents.candidate import Candidate
    from llm_orc.providers.base import ModelRequest, Permit, PermittedAttempt, Reply
    from llm_orc.providers.limits.plans import Plans, UsedUp


class MustWaitForPlan(Exception):
    """Raised in place of a wait where another part of the program waits, such as the queue of a batch's rows."""

    def __init__(self, used_up: UsedUp) -> None:
        super().__init__(used_up.refusal().message)
        self.used_up = used_up


def refusing(request: ModelRequest, candidate: Candidate, plans: Plans) -> ModelRequest:
    """Return the request so that none of its attempts is sent once the plan is known to be used up.

    A call may have waited for its turn long after it began: for the limits of its account, or for a process.
    """
    inner = request.permit

    @asynccontextmanager
    async def permit(size: int) -> AsyncIterator[PermittedAttempt]:
        if inner is None:
            yield _Attempt(candidate, plans, None)
            return
        async with inner(size) as permitted:
            yield _Attempt(candidate, plans, permitted)

    of_plan: Permit = permit
    return replace(request, permit=of_plan)


class _Attempt:
    """See `providers.base.PermittedAttempt`."""

    __slots__ = ("_candidate", "_permitted", "_plans")

    def __init__(self, candidate: Candidate, plans: Plans, permitted: PermittedAttempt | None) -> None:
        self._candidate, self._plans, self._permitted = candidate, plans, permitted

    async def before_send(self) -> None:
        self._plans.refuse(self._candidate.access, self._candidate.model.name)
        if self._permitted is not None:
            await self._permitted.before_send()

    def answered(self, reply: Reply) -> None:
        if self._permitted is not None:
            self._permitted.answered(reply)
