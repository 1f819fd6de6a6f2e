"""When a plan that is used up may be called again: at its reset, or after pauses that grow, by one call first."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.access import Access, Billing
from llm_orc.errors import LlmOrcError, PlanLimitReached, ProviderOverloaded, RateLimited
from llm_orc.providers.base import LONGEST_WAIT_S
from llm_orc.providers.limits.plans import FIRST_PAUSE_S, LONGEST_PAUSE_S, Plans, UsedUp
from tests.fakes.clocks import SetTime
from tests.providers import virtual_time

PLAN = Access(
    "claude-cli", "claude-cli", Billing.SUBSCRIPTION, "the login of `claude`", "https://api.anthropic.com"
)
METERED = replace(PLAN, provider="anthropic-api", method="api-key", billing=Billing.METERED)


def limit(resets_at: float | None = None, *, is_of_model: bool = False) -> PlanLimitReached:
    return PlanLimitReached("the plan is used up", resets_at=resets_at, is_of_model=is_of_model)


def noted(plans: Plans, error: LlmOrcError, access: Access = PLAN, *, whole: bool = True) -> UsedUp | None:
    return plans.note(error, access, "opus", whole=whole)


def closed(plans: Plans, model: str = "opus", access: Access = PLAN) -> bool:
    return plans.used_up(access, model) is not None


@given(st.floats(61, 8e5), st.floats(-1e6, 1e6))
def test_a_told_reset_is_kept_to_the_moment_whatever_the_clock_does(ahead_s: float, jump_s: float) -> None:
    time = SetTime()
    plans = Plans(time, time.sleep)
    resets_at = time.now + ahead_s
    noted(plans, limit(resets_at))

    time.now += jump_s  # the clock was set, or the machine slept

    assert closed(plans) == (time.now < resets_at)


def test_without_a_told_reset_it_is_looked_at_after_growing_pauses() -> None:
    time = SetTime()
    plans = Plans(time, time.sleep)
    pauses = []
    for _ in range(8):
        used_up = noted(plans, limit(None))
        assert used_up is not None
        assert not used_up.is_told
        pauses.append(used_up.until - time.now)
        time.now = used_up.until

    assert pauses[0] == FIRST_PAUSE_S
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_reset_that_is_past_is_none() -> None:
    time = SetTime()
    used_up = noted(Plans(time, time.sleep), limit(time.now - 5))

    assert used_up is not None
    assert (used_up.is_told, used_up.until) == (False, time.now + FIRST_PAUSE_S)


@pytest.mark.parametrize(
    ("error", "access"),
    [
        (limit(9e9), METERED),
        (limit(9e9), replace(PLAN, billing=Billing.LOCAL)),
        (ProviderOverloaded("busy", retry_after_s=900), PLAN),
        (RateLimited("busy"), PLAN),
        (RateLimited("busy", retry_after_s=LONGEST_WAIT_S), PLAN),
        (PlanLimitReached("in a moment", retry_after_s=LONGEST_WAIT_S), PLAN),
    ],
)
def test_what_is_no_limit_of_a_plan_closes_nothing(error: LlmOrcError, access: Access) -> None:
    plans = Plans(SetTime())

    assert noted(plans, error, access) is None
    assert not closed(plans, access=access)


def test_a_long_pause_that_a_plan_asks_for_is_its_limit() -> None:
    time = SetTime()
    used_up = noted(Plans(time, time.sleep), RateLimited("wait", retry_after_s=900))

    assert used_up is not None
    assert (used_up.is_told, used_up.until) == (True, time.now + 900)
    assert used_up.refusal().resets_at == time.now + 900


def test_a_plan_is_closed_as_a_whole_and_a_models_limit_for_that_model() -> None:
    time = SetTime()
    whole, one, cautious = (Plans(time, time.sleep) for _ in range(3))
    noted(whole, limit(time.now + 900))
    noted(one, limit(time.now + 900, is_of_model=True))
    noted(cautious, limit(time.now + 900), whole=False)

    assert (closed(whole, "opus"), closed(whole, "haiku")) == (True, True)
    assert (closed(one, "opus"), closed(one, "haiku")) == (True, False)
    assert (closed(cautious, "opus"), closed(cautious, "haiku")) == (True, False)


def test_two_names_of_one_program_are_one_plan_and_another_login_is_another() -> None:
    time = SetTime()
    plans = Plans(time, time.sleep)
    noted(plans, limit(time.now + 900))

    assert closed(plans, access=replace(PLAN, provider="anthropic-claude-pro-max"))
    assert not closed(plans, access=replace(PLAN, source="another login"))


def test_what_a_record_says_is_taken_over_and_never_shortens_what_is_known() -> None:
    time = SetTime()
    plans = Plans(time, time.sleep)
    far = UsedUp(PLAN, None, time.now + 900, is_told=True, error=limit(time.now + 900))
    plans.learn(replace(far, until=time.now - 1))
    assert not closed(plans)

    plans.learn(far)
    plans.learn(replace(far, until=time.now + 5))
    time.now += 6

    assert closed(plans)


async def called(plans: Plans, outcome: LlmOrcError | None = None) -> None:
    async with plans.call(PLAN, "opus", whole=True):
        if outcome is not None:
            raise outcome


async def test_a_call_before_the_reset_is_not_made_and_says_what_the_provider_said() -> None:
    time = SetTime()
    plans = Plans(time, time.sleep)
    said = limit(time.now + 900)
    with pytest.raises(PlanLimitReached):
        await called(plans, said)

    with pytest.raises(PlanLimitReached) as again:
        await called(plans)

    assert again.value is said


def crowd(first_takes_s: float, first: LlmOrcError | None) -> tuple[list[float], float]:
    """Let ten calls go on after a reset; return when each began, and the time of the reset."""
    began: list[float] = []
    reset_s = 500.0

    async def go() -> None:
        loop = asyncio.get_running_loop()
        plans = Plans(loop.time)
        used_up = plans.note(limit(loop.time() + reset_s), PLAN, "opus", whole=True)
        assert used_up is not None

        async def agent() -> None:
            await plans.opening(used_up)
            with suppress(LlmOrcError):
                async with plans.call(PLAN, "opus", whole=True):
                    is_first = not began
                    began.append(loop.time())
                    if is_first:
                        await asyncio.sleep(first_takes_s)
                        if first is not None:
                            raise first

        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(agent())

    virtual_time.run(go())
    return began, reset_s


def test_after_the_reset_one_call_goes_first_and_the_others_follow_its_answer() -> None:
    began, reset_s = crowd(7.0, None)

    assert began == [reset_s, *[reset_s + 7.0] * 9]


def test_a_first_call_that_is_refused_again_stays_the_only_one() -> None:
    began, reset_s = crowd(1.0, limit(2000.0))

    assert began == [reset_s]


def test_a_first_call_that_fails_otherwise_lets_the_next_one_go_first() -> None:
    began, reset_s = crowd(1.0, ProviderOverloaded("busy"))

    assert began == [reset_s, *[reset_s + 1.0] * 9]


def test_a_long_first_answer_is_not_waited_for() -> None:
    began, reset_s = crowd(600.0, None)

    assert began == [reset_s, *[reset_s + 30.0] * 9]


async def test_those_who_wait_share_one_timer_that_ends_with_them() -> None:
    time = SetTime()
    asleep = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        asleep.set()
        await asyncio.get_running_loop().create_future()

    plans = Plans(time, sleep)
    used_up = noted(plans, limit(time.now + 900))
    assert used_up is not None
    before = len(asyncio.all_tasks())
    waiting = [asyncio.create_task(plans.opening(used_up)) for _ in range(100)]
    await asleep.wait()

    assert len(asyncio.all_tasks()) == before + 101
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


async def test_a_wait_goes_by_the_time_of_day_and_looks_at_it_often() -> None:
    time = SetTime()
    plans = Plans(time, time.sleep)
    used_up = noted(plans, limit(time.now + 7200))
    assert used_up is not None

    await plans.opening(used_up)

    assert time.now >= used_up.until
    assert max(time.naps) <= 60
