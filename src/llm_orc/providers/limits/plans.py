"""Which plans are used up, as the calls of this process have found out, and when to ask them again.

A plan that is used up gets no call until its reset time; if the provider told none, until a pause is over that
grows with each call in vain. Then one call goes first, and the others follow once it has an answer, or was not
refused for a while. Times are wall time, looked at again during each wait: clocks jump, and machines sleep.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.auth.access import Access
from llm_orc.catalog.rows import Billing
from llm_orc.catalog.table import OFFICIAL_CLIS
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError, PlanLimitReached, RateLimited
from llm_orc.providers.base import LONGEST_WAIT_S
from llm_orc.providers.limits.plan_limit import is_of_plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 300.0, 3600.0
"""Between two calls of a plan that tells no reset time: the first pause, which doubles up to the longest."""

_LONGEST_NAP_S = 15.0  # so that a clock that was set, or a machine that slept, is noticed soon
_FIRST_CALL_S = 30.0  # a limit is refused faster; from then on, others need not wait for the first call's answer


@dataclass(frozen=True, slots=True)
class UsedUp:
    """A plan that is used up, or one of its models. No call before `until`, in Unix seconds.

    `is_told`: the provider said that it resets then; otherwise it is called again then, for the `looks`-th time.
    """

    access: Access
    model: str | None  # None: all models of the plan
    until: float
    is_told: bool
    error: LlmOrcError
    looks: int = 1

    def refusal(self) -> PlanLimitReached:
        """Return the error of a call that is not made because of this: what the provider said before."""
        if isinstance(self.error, PlanLimitReached):
            return self.error
        return PlanLimitReached(
            self.error.message, hint=self.error.hint, resets_at=self.until, is_of_model=self.model is not None
        )


_Key = tuple[str, str, str, str | None]  # of a plan, and a model of it or None


def is_paid_by_plan(access: Access) -> bool:
    return access.billing in {Billing.SUBSCRIPTION, Billing.PLAN_CREDITS}


def _key(access: Access, model: str | None) -> _Key:
    """Providers that are reached through one official CLI have one plan."""
    of = access.method if access.method in OFFICIAL_CLIS else access.provider
    return (of, access.source, access.endpoint, model)


class Plans:
    """The plans of a process, or of one session of it. Not for several threads."""

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`now` is in Unix seconds; `sleep` may take longer than it is asked to."""
        self._now, self._sleep = now, sleep
        self._used_up: dict[_Key, UsedUp] = {}
        self._first: dict[_Key, asyncio.Event] = {}  # of a plan that may be open again: the call that goes first
        self._timers: dict[float, _Timer] = {}

    def used_up(self, access: Access, model: str) -> UsedUp | None:
        """Return what keeps the model from being called now; None: nothing that is known."""
        found = self._found(access, model)
        return found if found is not None and found.until > self._now() else None

    def learn(self, used_up: UsedUp) -> None:
        """Take over what another process has found out, such as an earlier attempt of a run."""
        key = _key(used_up.access, used_up.model)
        known = self._used_up.get(key)
        if used_up.until > self._now() and (known is None or known.until < used_up.until):
            self._used_up[key] = used_up

    def note(self, error: LlmOrcError, access: Access, model: str, *, whole: bool) -> UsedUp | None:
        """Remember the limit of a plan, which a call has met; None if `error` is about something else.

        `whole`: it is the limit of all models of the plan, unless the provider says otherwise.
        """
        if not is_paid_by_plan(access) or not isinstance(error, RateLimited):
            return None
        now = self._now()
        if is_of_plan(error) and isinstance(error, PlanLimitReached):
            resets_at, is_of_model = error.resets_at, error.is_of_model
        elif (error.retry_after_s or 0.0) > LONGEST_WAIT_S:
            resets_at, is_of_model = now + (error.retry_after_s or 0.0), False
        else:
            return None
        key = _key(access, model if is_of_model or not whole else None)
        looks = self._used_up[key].looks + 1 if key in self._used_up else 1
        is_told = resets_at is not None and resets_at > now
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(looks - 1, 16))
        until = resets_at if is_told and resets_at is not None else now + pause_s
        self._used_up[key] = UsedUp(access, key[-1], until, is_told, error, looks)
        return self._used_up[key]

    @asynccontextmanager
    async def call(self, access: Access, model: str, *, whole: bool) -> AsyncIterator[None]:
        """Surround a call. Raises `PlanLimitReached` instead, if the plan is known to be used up."""
        key = await self._turn(access, model)
        first = None
        if key is not None:
            first = self._first[key] = asyncio.Event()
        try:
            yield
        except LlmOrcError as e:
            self.note(e, access, model, whole=whole)
            raise
        else:
            for of in (None, model):
                self._used_up.pop(_key(access, of), None)
        finally:
            if first is not None and key is not None:
                first.set()
                if self._first.get(key) is first:
                    del self._first[key]

    def refuse(self, access: Access, model: str) -> None:
        """Raise if the plan is used up by now: for a call that has waited for its turn elsewhere."""
        if (found := self.used_up(access, model)) is not None:
            raise found.refusal()

    async def _turn(self, access: Access, model: str) -> _Key | None:
        """Return the plan that the caller is the first to call again; None: it may call like any other."""
        while (found := self._found(access, model)) is not None:
            self.refuse(access, model)
            key = _key(access, found.model)
            ahead = self._first.get(key)
            if ahead is None:
                return key
            try:
                async with asyncio.timeout(_FIRST_CALL_S):
                    await ahead.wait()
            except TimeoutError:
                return None
        return None

    def _found(self, access: Access, model: str) -> UsedUp | None:
        both = [self._used_up.get(_key(access, of)) for of in (None, model)]
        return max((one for one in both if one is not None), key=lambda one: one.until, default=None)

    async def opening(self, used_up: UsedUp) -> None:
        """Return when the plan may be called again. All who wait for the same moment share one timer."""
        until = used_up.until
        timer = self._timers.get(until)
        if timer is None:
            timer = self._timers[until] = _Timer(self._reached(until))
        try:
            await timer.wait()
        finally:
            if not timer.waiting:
                self._timers.pop(until, None)

    async def _reached(self, until: float) -> None:
        while (left_s := until - self._now()) > 0:
            await self._sleep(min(left_s, _LONGEST_NAP_S))


class _Timer:
    """A task that several wait for, and that ends with the last of them."""

    def __init__(self, work: Awaitable[None]) -> None:
        self._task = asyncio.ensure_future(work)
        self.waiting = 0

    async def wait(self) -> None:
        self.waiting += 1
        try:
            await asyncio.shield(self._task)
        finally:
            self.waiting -= 1
            if not self.waiting:
                self._task.cancel()
