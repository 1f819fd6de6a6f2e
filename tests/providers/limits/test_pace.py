"""A crowd before a provider that takes only so much: all are answered, and hardly one asks twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from llm_orc.auth.apply import NoCredential
from llm_orc.errors import RateLimited
from llm_orc.net.transport import Answer, Feed
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.limits.limiter import Limiter
from llm_orc.providers.model import HttpModel
from tests.providers.virtual_time import run

QUESTION = ModelRequest((Message("user", "hello"),))
YES = b'{"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}'
ORIGIN = "http://provider.test"


@dataclass
class Account:
    """A provider, reached without a network, that takes `rate` calls in a second, by one of the usual ways to count.

    `bucket`: refilled evenly, so many at once; `drop`: refilled evenly, one at once; `second`, `minute`: so many in
    each of the clock's; `sliding`: so many in any second, refused ones count too; `at_once`: so many in flight;
    `chance`: that share of all, however often it is asked.
    """

    rate: float
    counts: str = "bucket"
    says_when: bool = False
    answer_s: float = 0.05
    refusal_s: float = 0.005
    heard: int = 0
    _left: float = field(default=-1.0, init=False)
    _at: float = field(default=0.0, init=False)
    _in_flight: int = field(default=0, init=False)
    _recent: list[float] = field(default_factory=list, init=False)
    _dice: random.Random = field(default_factory=lambda: random.Random(7), init=False)

    def check(self, url: str) -> None:
        return

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        feed: Feed | None = None,
        limit_s: float | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        self.heard += 1
        if not self._takes(asyncio.get_running_loop().time()):
            await asyncio.sleep(self.refusal_s)
            wait = "60" if self.counts == "minute" else "1"
            return Answer(429, {"date": "", **({"retry-after": wait} if self.says_when else {})}, b"{}")
        self._in_flight += 1
        await asyncio.sleep(self.answer_s)
        self._in_flight -= 1
        return Answer(200, {"date": ""}, YES)

    def _takes(self, now: float) -> bool:
        if self.counts == "chance":
            return self._dice.random() < self.rate
        if self.counts == "at_once":
            return self._in_flight < self.rate
        if self.counts == "sliding":
            self._recent = [at for at in self._recent if at > now - 1]
            self._recent.append(now)
            return len(self._recent) <= self.rate
        if self.counts in {"second", "minute"}:
            length = 60 if self.counts == "minute" else 1
            if self._left < 0 or now // length != self._at // length:
                self._left = self.rate * length
        else:
            most = 1 if self.counts == "drop" else self.rate
            self._left = most if self._left < 0 else min(most, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def model_of(account: Account, limiter: Limiter) -> HttpModel:
    endpoint = Endpoint("p", "openai-chat", ORIGIN, ORIGIN)
    return HttpModel(endpoint, "m", OpenAIChat(), NoCredential(ORIGIN), account, limiter=limiter)


async def crowd(account: Account, agents: int, processes: int = 1) -> list[object]:
    """So many agents in each of so many processes, which know nothing of each other. Returns what failed."""
    loop, chance = asyncio.get_running_loop(), random.Random(7)
    calls = []
    for _ in range(processes):
        model = model_of(account, Limiter("p", None, monotonic=loop.time, jitter=chance.random))
        calls += [model.reply(QUESTION) for _ in range(agents)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    return [one for one in ended if isinstance(one, BaseException)]


@pytest.mark.parametrize("says_when", [False, True])
@pytest.mark.parametrize(
    ("account", "at_most_s"),
    [
        (lambda: Account(5), 60),
        (lambda: Account(5, "drop"), 100),
        (lambda: Account(5, "second"), 80),
        (lambda: Account(5, "sliding"), 100),
        (lambda: Account(5, answer_s=10), 90),
        (lambda: Account(5, refusal_s=0.3), 60),
        (lambda: Account(50), 10),
        (lambda: Account(10, "at_once", answer_s=1), 50),
    ],
    ids=["bucket", "drop", "second", "sliding", "slow answers", "slow refusals", "faster", "at once"],
)
def test_two_hundred_agents_find_the_speed_of_an_account(
    account: Callable[[], Account], at_most_s: float, *, says_when: bool
) -> None:
    busy = account()
    busy.says_when = says_when

    failed, took_s = run(crowd(busy, 200))

    assert failed == []
    assert busy.heard <= 1.5 * 200
    assert took_s < at_most_s


@pytest.mark.parametrize("says_when", [False, True])
@pytest.mark.parametrize("counts", ["bucket", "second", "sliding"])
def test_three_processes_that_know_nothing_of_each_other_share_it(counts: str, *, says_when: bool) -> None:
    busy = Account(5, counts, says_when=says_when)

    failed, took_s = run(crowd(busy, 200, processes=3))

    assert failed == []
    assert busy.heard <= 1.5 * 600
    assert took_s < 2 * 120


def test_after_minutes_of_peace_a_crowd_is_as_careful_as_the_first_one() -> None:
    busy = Account(5)

    async def twice() -> tuple[int, int]:
        model = model_of(busy, Limiter("p", None, monotonic=asyncio.get_running_loop().time))
        await asyncio.gather(*(model.reply(QUESTION) for _ in range(60)))
        for _ in range(20):
            await asyncio.sleep(10)
            await model.reply(QUESTION)
        before = busy.heard
        await asyncio.gather(*(model.reply(QUESTION) for _ in range(200)))
        return before, busy.heard - before

    (before, after), took_s = run(twice())

    assert before <= 1.5 * 80
    assert after <= 1.5 * 200
    assert took_s < 300


def test_a_limit_of_a_minute_without_a_word_of_when_fails_nobody() -> None:
    busy = Account(1, "minute", answer_s=2, refusal_s=0.1)

    failed, _ = run(crowd(busy, 200))

    assert failed == []


@pytest.mark.parametrize(("share", "answer_s"), [(2 / 3, 0.3), (0.9, 2)])
def test_a_provider_that_refuses_by_chance_is_not_asked_ever_more_slowly(share: float, answer_s: float) -> None:
    moody = Account(share, "chance", answer_s=answer_s)

    failed, took_s = run(crowd(moody, 120))

    assert failed == []
    assert took_s < 30


def test_a_provider_without_a_limit_costs_a_crowd_about_a_second_once() -> None:
    free = Account(1e9, answer_s=2)

    failed, took_s = run(crowd(free, 1000))

    assert (failed, free.heard) == ([], 1000)
    assert took_s < 3


def test_a_provider_that_takes_nothing_is_given_up_for_all_in_line() -> None:
    dead = Account(0, "at_once")

    failed, took_s = run(crowd(dead, 200))

    assert len(failed) == 200
    assert all(isinstance(one, RateLimited) for one in failed)
    assert dead.heard < 200
    assert took_s < 180


def test_one_agent_s_refusals_without_any_answer_cost_its_tries() -> None:
    dead = Account(0, "at_once")

    failed, took_s = run(crowd(dead, 1))

    assert len(failed) == 1
    assert dead.heard <= 9
    assert took_s < 60


def test_a_call_that_nothing_bounds_costs_next_to_nothing() -> None:
    limiter = Limiter("p", None)

    async def many(calls: int) -> float:
        began = time.process_time()
        for _ in range(calls):
            await limiter.end(await limiter.start(0), None, None)
        return (time.process_time() - began) / calls

    assert asyncio.run(many(5_000)) < 50e-6  # about 2 µs where nothing else goes on
