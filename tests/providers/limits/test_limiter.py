"""The limiter: never more than is allowed, as fast as that, and no storm when a provider is busy."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.errors import ProviderOverloaded, RateLimited
from llm_orc.providers.limits.limiter import Bucket, Call, Limiter
from llm_orc.providers.limits.rate_headers import Left, left_of
from llm_orc.settings.model import CallLimits
from tests.providers.virtual_time import run

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@given(
    per_minute=st.integers(1, 2000),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=200),
)
def test_no_window_of_a_minute_holds_more_starts_than_the_limit(per_minute: int, gaps: list[float]) -> None:
    now, starts = 0.0, []
    bucket = Bucket(per_minute, now)
    for gap in gaps:
        now += gap
        now += bucket.wait_s(1, now)
        bucket.draw(1, now)
        starts.append(now)

    windows = [sum(1 for at in starts if begin <= at < begin + 60) for begin in starts]
    assert max(windows) <= per_minute + 1e-9 or (per_minute == 1 and max(windows) <= 1)


def test_a_call_larger_than_the_whole_bucket_goes_when_it_is_full() -> None:
    bucket = Bucket(100, 0.0)

    assert bucket.wait_s(5_000, 0.0) == 0
    bucket.draw(5_000, 0.0)
    assert bucket.wait_s(1, 60.0) > 0


@settings(deadline=None, max_examples=30)
@given(most=st.integers(1, 8), ends=st.lists(st.sampled_from(["ok", "busy", "cancelled"]), max_size=40))
def test_calls_in_flight_never_pass_the_limit_and_no_place_is_lost(most: int, ends: list[str]) -> None:
    seen, _ = run(most_in_flight(most, ends))

    assert seen <= most


async def most_in_flight(most: int, ends: list[str]) -> int:
    limiter = Limiter("p", CallLimits(most), monotonic=asyncio.get_running_loop().time, jitter=lambda: 0.0)
    in_flight = seen = 0

    async def one(how: str) -> None:
        nonlocal in_flight, seen
        call = await sent(limiter)
        in_flight += 1
        seen = max(seen, in_flight)
        try:
            await asyncio.sleep(0)
        finally:
            in_flight -= 1
            busy = RateLimited("busy", status=429, retry_after_s=0.0) if how == "busy" else None
            await limiter.end(call, busy, None)

    tasks = [asyncio.create_task(one(how)) for how in ends]
    await asyncio.sleep(0)
    for task, how in zip(tasks, ends, strict=True):
        if how == "cancelled":
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(300):  # no place was lost
        await limiter.end(await limiter.start(0), None, None)
    return seen


async def sent(limiter: Limiter) -> Call:
    call = await limiter.start(0)
    call.is_sent = True
    return call


async def test_after_a_refusal_calls_start_one_by_one() -> None:
    limiter = Limiter("p", None)
    calls = [await sent(limiter) for _ in range(16)]

    for call in calls[1:]:
        await limiter.end(call, RateLimited("busy", status=429, retry_after_s=0.0), None)
    await limiter.end(calls[0], None, None)

    waiting = [asyncio.create_task(limiter.start(0)) for _ in range(16)]
    await asyncio.sleep(0.05)
    admitted = sum(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert admitted <= 1


async def test_what_fails_before_it_is_sent_is_no_news_of_the_provider_s_pace() -> None:
    limiter = Limiter("p", None)

    for _ in range(10):
        await limiter.end(await limiter.start(0), ProviderOverloaded("sign-in", retry_after_s=30), None)

    assert limiter.pause_s == 0


async def test_a_pause_too_long_to_wait_for_is_left_to_each_call() -> None:
    limiter = Limiter("p", None)
    call = await sent(limiter)

    await limiter.end(call, RateLimited("busy", status=429, retry_after_s=1e20), None)

    assert limiter.pause_s == 0


async def test_nothing_starts_before_the_time_that_the_provider_asked_for() -> None:
    limiter = Limiter("p", None)
    call = await sent(limiter)
    began = time.monotonic()

    await limiter.end(call, ProviderOverloaded("busy", status=529, retry_after_s=0.2), None)
    await limiter.start(0)

    assert time.monotonic() - began >= 0.2


async def test_a_window_that_is_used_up_is_waited_for_until_it_is_full_again() -> None:
    limiter = Limiter("p", None)
    call = await limiter.start(0)
    call.headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "200ms"}
    began = time.monotonic()

    await limiter.end(call, None, None)
    await limiter.start(0)

    assert time.monotonic() - began >= 0.2


async def test_who_waits_for_a_busy_provider_can_say_so_and_who_waits_for_a_set_limit_does_not() -> None:
    busy, limited = Limiter("p", None), Limiter("p", CallLimits(1))
    calls = [await sent(busy) for _ in range(4)]
    before = busy.slowed_down
    await busy.end(calls[0], RateLimited("busy", status=429, retry_after_s=30), None)
    nobody_waits = busy.slowed_down
    await limited.start(0)
    waiting = [asyncio.create_task(limiter.start(0)) for limiter in (busy, limited)]
    await asyncio.sleep(0)

    slowed = busy.slowed_down

    assert before is nobody_waits is limited.slowed_down is None
    assert slowed is not None
    assert slowed.provider == "p"
    assert 25 < slowed.pause_s <= 30
    for task in waiting:
        task.cancel()


async def test_without_limits_and_refusals_nothing_waits() -> None:
    limiter = Limiter("p", None)

    calls = []
    for _ in range(5_000):
        calls.append(await limiter.start(0))
        await limiter.end(calls[-1], None, None)

    assert all(isinstance(call, Call) for call in calls)


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({}, None),
        (
            {
                "anthropic-ratelimit-requests-remaining": "7",
                "anthropic-ratelimit-requests-reset": "2026-11-24T12:00:30Z",
            },
            Left(7, 30.0),
        ),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s"}, Left(3, 360.0)),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1.5s"}, Left(3, 1.5)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "12"}, Left(0, 12.0)),
        (
            {
                "x-ratelimit-remaining-requests": "90",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "20ms",
            },
            Left(0, 0.02),
        ),
        ({"ratelimit-remaining": "many", "ratelimit-reset": "12"}, None),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "soon"}, None),
        ({"ratelimit-remaining": "-3", "ratelimit-reset": "1"}, None),
        ({"ratelimit-remaining": "3"}, None),
    ],
)
def test_headers_say_what_is_left_and_until_when(headers: dict[str, str], left: Left | None) -> None:
    assert left_of(headers, NOW) == left


@given(
    st.dictionaries(
        st.sampled_from(["ratelimit-remaining", "ratelimit-reset", "x-ratelimit-remaining-tokens"]),
        st.text(max_size=12),
    )
)
def test_whatever_stands_in_the_headers_nothing_is_raised(headers: dict[str, str]) -> None:
    left_of(headers, NOW)
