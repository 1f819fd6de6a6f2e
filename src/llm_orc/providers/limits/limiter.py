"""Keep a process's calls within what each account allows: by configured limits, and by what the provider reports.

One limiter for each access (provider, address, credential). A call that is refused because the provider is busy
stops further starts for as long as it asks, and teaches the rate that it accepts (`pace.py`). So a large group of
calls finds the account's rate without a storm, and refusals meanwhile don't count as attempts.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from llm_orc.dataclass import dataclass
from llm_orc.errors import ProviderError, ProviderOverloaded, RateLimited
from llm_orc.providers.base import LONGEST_WAIT_S
from llm_orc.providers.limits.pace import Pace, Start
from llm_orc.providers.limits.plan_limit import is_of_plan
from llm_orc.providers.limits.rate_headers import left_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.auth.access import Access
    from llm_orc.settings.model import CallLimits

_MINUTE_S = 60.0
_PATIENCE_S, _FEWEST_REFUSALS = 60.0, 5  # without any answer: then waiting calls fail
_WARY_BELOW = 50  # with fewer requests left than this, each start is counted against them


class Gate(Protocol):
    """A limit that processes share; consulted after the limiter, immediately before a call starts."""

    async def start(self, provider: str, tokens: int) -> None:
        """Return when the call may start; may raise."""
        ...

    async def ended(self, provider: str, drawn: int, used: int) -> None:
        """Report how many tokens the call drew and used."""
        ...


class Bucket:
    """At most `per_minute` requests or tokens in any minute: a small burst, then evenly."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.burst = max(1.0, per_minute // 10)
        self._per_s = max(per_minute - self.burst, per_minute / 2) / _MINUTE_S
        self._left, self._at = self.burst, now

    def wait_s(self, amount: float, now: float) -> float:
        """Return how long until `amount` can be drawn. More than a burst is granted when the bucket is full."""
        self._fill(now)
        missing = min(amount, self.burst) - self._left
        return missing / self._per_s if missing > 1e-9 else 0.0

    def draw(self, amount: float, now: float) -> None:
        """Draw it; a deficit is repaid before the next draw."""
        self._fill(now)
        self._left -= amount

    def _fill(self, now: float) -> None:
        self._left = min(self.burst, self._left + (now - self._at) * self._per_s)
        self._at = now


@dataclass(slots=True)
class Call:
    """One admitted call. `headers` are those of its answer, once there is one.

    `is_sent` is set before it is sent: earlier failures, such as of a token refresh, say nothing about the rate.
    """

    tokens: int
    start: Start
    is_sent: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SlowedDown:
    """A busy provider that calls wait for: fewer at once, and none for `pause_s` seconds."""

    provider: str
    pause_s: float


class Limiter:
    """The calls over one access. Not for several threads."""

    def __init__(
        self,
        provider: str,
        limits: CallLimits | None,
        *,
        gate: Gate | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._provider, self._gate = provider, gate
        self._now, self._jitter = monotonic, jitter
        self._most = (limits and limits.concurrent) or math.inf
        rpm, tpm = (limits.requests_per_minute, limits.tokens_per_minute) if limits else (None, None)
        self._requests = Bucket(rpm, monotonic()) if rpm else None
        self._tokens = Bucket(tpm, monotonic()) if tpm else None
        self._pace = Pace()
        self._in_flight = 0
        self._not_before = -math.inf
        self._credit: tuple[int, float] | None = None  # (requests left, until when that counts)
        self._waiting: deque[tuple[asyncio.Future[Start], int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def counts_tokens(self) -> bool:
        return self._tokens is not None or self._gate is not None

    @property
    def pause_s(self) -> float:
        """How long no call starts now because the provider is busy."""
        now = self._now()
        return max(0.0, self._not_before - now, self._pace.wait_s(0, now))

    @property
    def slowed_down(self) -> SlowedDown | None:
        """The provider's state if calls wait for it; configured limits don't count."""
        now, pause_s = self._now(), self.pause_s
        if self._credit is not None and self._credit[0] <= 0:
            pause_s = max(pause_s, self._credit[1] - now)
        if not self._waiting or not (self._pace.is_slow or pause_s):
            return None
        return SlowedDown(self._provider, pause_s)

    async def start(self, tokens: int) -> Call:
        """Return when a call of about so many tokens may start. First come, first served.

        Raises `RateLimited` for all waiting calls if the provider has accepted none for a minute.
        """
        if self._waiting or self._blocked_s(tokens) > 0:
            start = await self._stand_in_line(tokens)
        else:
            start = self._take(tokens)
        call = Call(tokens, start)
        if self._gate is not None:
            try:
                await self._gate.start(self._provider, tokens)
            except BaseException:
                self._pace.ended(start)
                self._release()
                raise
        return call

    async def end(self, call: Call, failure: BaseException | None, used: int | None) -> bool:
        """Note that the call has ended: with `failure`, or after using so many tokens. For each that started.

        True if it was refused only because the rate was still being found: that doesn't count as an attempt.
        """
        now = self._now()
        self._pace.ended(call.start)
        is_free = False
        if call.is_sent and isinstance(failure, RateLimited | ProviderOverloaded) and is_busy(failure):
            is_free = self._slow_down(call, failure, now)
        elif failure is None:
            self._pace.answered(call.start, now)
        if call.headers:
            self._read(call.headers, now)
        if used is not None and self._tokens is not None:
            self._tokens.draw(used - call.tokens, now)
        self._release()
        if used is not None and self._gate is not None:
            await self._gate.ended(self._provider, call.tokens, used)
        return is_free

    def _blocked_s(self, tokens: int) -> float:
        """Return how long no call may start; infinite if one in flight has to end first."""
        if self._in_flight >= self._most:
            return math.inf
        now = self._now()
        wait_s = max(self._pace.wait_s(self._in_flight, now), self._not_before - now)
        if self._credit is not None:
            left, until = self._credit
            if now >= until:
                self._credit = None
            elif left <= 0:
                wait_s = max(wait_s, until - now)
        if self._requests is not None:
            wait_s = max(wait_s, self._requests.wait_s(1, now))
        if self._tokens is not None:
            wait_s = max(wait_s, self._tokens.wait_s(tokens, now))
        return wait_s

    def _take(self, tokens: int) -> Start:
        self._in_flight += 1
        if self._credit is not None:
            self._credit = (self._credit[0] - 1, self._credit[1])
        if self._requests is not None:
            self._requests.draw(1, self._now())
        if self._tokens is not None:
            self._tokens.draw(tokens, self._now())
        return self._pace.started(self._now(), self._jitter())

    async def _stand_in_line(self, tokens: int) -> Start:
        turn: asyncio.Future[Start] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, tokens))
        self._let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # admitted before that was known
                self._pace.ended(turn.result())
                self._release()
            else:
                self._let_in()
            raise

    def _let_in(self) -> None:
        """Admit the calls that may start now; schedule a timer if the rest only waits for time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            turn, tokens = self._waiting[0]
            if turn.done():  # cancelled
                self._waiting.popleft()
                continue
            blocked_s = self._blocked_s(tokens)
            if blocked_s > 0:
                if blocked_s != math.inf:
                    self._timer = asyncio.get_running_loop().call_later(blocked_s, self._let_in)
                return
            self._waiting.popleft()
            turn.set_result(self._take(tokens))

    def _release(self) -> None:
        self._in_flight -= 1
        if self._waiting:
            self._let_in()

    def _slow_down(self, call: Call, failure: ProviderError, now: float) -> bool:
        """Handle a refusal. A pause too long to wait for says nothing about the rate: each call sees it itself."""
        asked_s = failure.retry_after_s
        if (asked_s is not None and asked_s > LONGEST_WAIT_S) or is_of_plan(failure):
            return False
        is_free = self._pace.refused(call.start, now, asked_s)
        if asked_s is not None:
            self._not_before = max(self._not_before, now + asked_s)
        refusals, since = self._pace.unanswered
        if refusals >= _FEWEST_REFUSALS and now - since > _PATIENCE_S:
            self._give_up(failure, now - since)
            self._pace.begin_again(now)
        return is_free and bool(call.headers)  # a stream that broke off has used tokens

    def _give_up(self, failure: ProviderError, after_s: float) -> None:
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(
                    RateLimited(
                        f"`{self._provider}` has accepted no call for {after_s:.0f} s, so this one was not sent",
                        hint="Try again later, with `llm-orc resume`, or set a `fallback_model_profile`.",
                        status=failure.status,
                    )
                )

    def _read(self, headers: Mapping[str, str], now: float) -> None:
        left = left_of(headers)
        if left is None or left.requests >= _WARY_BELOW or left.reset_s > LONGEST_WAIT_S:
            return  # plenty, or so long that the refusal itself counts
        self._credit = (left.requests - (self._in_flight - 1), now + left.reset_s)


def is_busy(failure: ProviderError) -> bool:
    """True if the refusal is about the rate; a 500 is not."""
    return isinstance(failure, RateLimited) or failure.status == 529 or failure.retry_after_s is not None


class Limiters:
    """The limiters of a process, or of one session of it."""

    def __init__(self, limits: Mapping[str, CallLimits | None], gate: Gate | None = None) -> None:
        """`limits` by provider."""
        self._limits, self._gate = limits, gate
        self._limiters: dict[Access, Limiter] = {}

    def slowed_down(self) -> list[SlowedDown]:
        """Return the busy providers that calls wait for."""
        return [slowed for limiter in self._limiters.values() if (slowed := limiter.slowed_down) is not None]

    def of(self, access: Access) -> Limiter:
        found = self._limiters.get(access)
        if found is None:
            found = Limiter(access.provider, self._limits.get(access.provider), gate=self._gate)
            self._limiters[access] = found
        return found
