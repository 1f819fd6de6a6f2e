"""Agents that wait for their plan: who waits, who takes over, and what is called when."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from llm_orc.agents.candidate import Candidate
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.model.plan_waits import MustWaitForPlan
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.auth.access import Access, Billing
from llm_orc.errors import LlmOrcError, PlanLimitReached, ProviderOverloaded, RequestRejected
from llm_orc.providers.base import ModelInterface, ModelRequest, Reply, ReplyObserver, Usage
from llm_orc.providers.limits.plans import FIRST_PAUSE_S, Plans
from tests.agents.test_closed_access import candidate
from tests.agents.test_llm import ACCESS, Scripted, Watcher
from tests.fakes.clocks import SetTime

PLAN = replace(ACCESS, provider="plan", billing=Billing.SUBSCRIPTION)
OTHER_PLAN = replace(PLAN, provider="other-plan")
METERED = replace(ACCESS, provider="metered", billing=Billing.METERED)
RESET_S = 7200.0


class OnPlan(ModelInterface):
    """Refuses until the plan resets, by the given clock; then it answers. `told`: with the reset time."""

    provider = "plan"

    def __init__(self, time: SetTime, *, told: bool = True, name: str = "m") -> None:
        self.name, self._time, self._told = name, time, told
        self.resets_at = time.now + RESET_S
        self.called_at: list[float] = []
        self.let_go_at: list[float] = []

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        assert request.permit is not None
        async with request.permit(1) as attempt:
            await attempt.before_send()
            self.called_at.append(self._time.now)
            await asyncio.sleep(0)
            if self._time.now < self.resets_at:
                raise PlanLimitReached("used up", resets_at=self.resets_at if self._told else None)
            return Reply("Yes.", self.name, Usage(1, 1))

    async def let_go(self) -> None:
        self.let_go_at.append(self._time.now)


def caller_of(time: SetTime, *candidates: Candidate, agents: int = 1) -> LlmCaller:
    plans = Plans(time, time.sleep)
    return LlmCaller({f"a{i}": candidates for i in range(agents)}, plans=plans, waits=True)


async def ask(caller: LlmCaller, agent: str = "a0") -> tuple[str, Watcher]:
    watcher = Watcher()
    output = await caller(AgentTurn(AgentPath(agent), AgentSpec(agent), "the prompt", watcher))
    return output.text, watcher


def on(model: ModelInterface, access: Access = PLAN) -> Candidate:
    return candidate(model, access)  # type: ignore[arg-type]


async def test_an_agent_waits_for_the_told_reset_and_no_call_comes_before_it() -> None:
    time = SetTime()
    model = OnPlan(time)
    began = time.now

    answer, watcher = await ask(caller_of(time, on(model)))

    assert answer == "Yes."
    assert len(model.called_at) == 2
    assert model.called_at[0] == began
    assert model.called_at[1] >= model.resets_at
    assert model.let_go_at == [began]
    assert watcher.seen == [
        ("calling", "m"),
        ("waiting", "all", f"{model.resets_at:.0f}"),
        ("wait over",),
        ("calling", "m"),
    ]


async def test_without_a_told_reset_it_looks_again_at_growing_intervals() -> None:
    time = SetTime()
    model = OnPlan(time, told=False)

    answer, _ = await ask(caller_of(time, on(model)))

    pauses = [later - earlier for earlier, later in zip(model.called_at, model.called_at[1:], strict=False)]
    assert answer == "Yes."
    assert pauses[0] >= FIRST_PAUSE_S
    assert pauses == sorted(pauses)
    assert len(pauses) == 5  # 5, 10, 20, 40 and 60 minutes


async def test_all_agents_on_the_plan_wait_together_and_one_goes_first() -> None:
    time = SetTime()
    model = OnPlan(time)
    caller = caller_of(time, on(model), agents=20)

    first = asyncio.create_task(ask(caller, "a0"))
    while not model.called_at:
        await asyncio.sleep(0)
    answers = await asyncio.gather(first, *(ask(caller, f"a{i}") for i in range(1, 20)))

    assert [answer for answer, _ in answers] == ["Yes."] * 20
    early = [at for at in model.called_at if at < model.resets_at]
    assert len(early) <= 20  # those that were out before the limit was known
    assert len(model.called_at) - len(early) == 20


async def test_an_agent_that_starts_while_the_plan_is_used_up_calls_nothing() -> None:
    time = SetTime()
    model = OnPlan(time)
    caller = caller_of(time, on(model), agents=2)
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await awake.wait()
        time.now += seconds

    caller = LlmCaller({"a0": [on(model)], "a1": [on(model)]}, plans=Plans(time, sleep), waits=True)
    first = asyncio.create_task(ask(caller, "a0"))
    await asleep.wait()
    second = asyncio.create_task(ask(caller, "a1"))
    for _ in range(10):
        await asyncio.sleep(0)

    assert len(model.called_at) == 1
    awake.set()
    _, watcher = (await asyncio.gather(first, second))[1]
    assert watcher.seen[0][0] == "waiting"


@pytest.mark.parametrize("access", [ACCESS, OTHER_PLAN])
async def test_a_fallback_that_is_not_dearer_takes_over(access: Access) -> None:
    time = SetTime()
    model, fallback = OnPlan(time), Scripted("fallback", "From the fallback.")

    answer, watcher = await ask(caller_of(time, on(model), candidate(fallback, access)))

    assert answer == "From the fallback."
    assert time.naps == []
    assert [seen[0] for seen in watcher.seen] == ["calling", "switched"]


async def test_a_metered_fallback_is_never_taken() -> None:
    time = SetTime()
    model, metered = OnPlan(time), Scripted("metered", "At a price.")

    answer, _ = await ask(caller_of(time, on(model), candidate(metered, METERED)))

    assert answer == "Yes."
    assert metered.requests == []


async def test_a_metered_model_before_the_plan_is_not_called_again_after_the_wait() -> None:
    time = SetTime()
    metered, model = Scripted("metered", ProviderOverloaded("busy")), OnPlan(time)

    answer, _ = await ask(caller_of(time, candidate(metered, METERED), on(model)))

    assert answer == "Yes."
    assert len(metered.requests) == 1


async def test_where_the_fallback_fails_too_the_plan_is_waited_for() -> None:
    time = SetTime()
    model, local = OnPlan(time), Scripted("local", ProviderOverloaded("down"))

    answer, _ = await ask(caller_of(time, on(model), candidate(local, ACCESS)))

    assert answer == "Yes."
    assert len(local.requests) == 1


async def test_of_two_plans_that_are_used_up_the_sooner_is_waited_for() -> None:
    time = SetTime()
    late, soon = OnPlan(time, name="late"), OnPlan(time, name="soon")
    late.resets_at += 5000

    answer, _ = await ask(caller_of(time, on(late), on(soon, OTHER_PLAN)))

    assert answer == "Yes."
    assert (len(late.called_at), len(soon.called_at)) == (1, 2)
    assert time.now < late.resets_at


@pytest.mark.parametrize("failure", [RequestRejected("bad option")])
async def test_what_no_wait_cures_fails_at_once(failure: LlmOrcError) -> None:
    time = SetTime()

    with pytest.raises(type(failure)):
        await ask(caller_of(time, candidate(Scripted("m", failure), PLAN)))

    assert time.naps == []


async def test_who_does_not_wait_fails_at_once_with_the_reset_time() -> None:
    time = SetTime()
    model = OnPlan(time)
    caller = LlmCaller({"a0": [on(model)]}, plans=Plans(time, time.sleep))

    for _ in range(2):
        with pytest.raises(PlanLimitReached) as caught:
            await ask(caller)
        assert caught.value.resets_at == model.resets_at

    assert len(model.called_at) == 1


async def test_the_slot_of_a_waiting_agent_is_free_for_others() -> None:
    time = SetTime()
    model = OnPlan(time)
    lent: list[str] = []

    class Lent:
        async def __aenter__(self) -> None:
            lent.append("lent")

        async def __aexit__(self, *_: object) -> None:
            lent.append(f"back {time.now >= model.resets_at}")

    turn = AgentTurn(AgentPath("a0"), AgentSpec("a0"), "the prompt", Watcher(), idle=Lent)
    await caller_of(time, on(model))(turn)

    assert lent == ["lent", "back True"]


async def test_where_another_part_waits_the_plan_is_raised_to_it_once_nothing_else_answers() -> None:
    time = SetTime()
    model, local = OnPlan(time), Scripted("local", ProviderOverloaded("down"))
    candidates = {"a0": [on(model), candidate(local, ACCESS)]}
    caller = LlmCaller(candidates, plans=Plans(time, time.sleep), waits=True, waits_elsewhere=True)

    for _ in range(2):
        with pytest.raises(MustWaitForPlan) as caught:
            await ask(caller)
        assert caught.value.used_up.until == model.resets_at

    assert (len(model.called_at), time.naps) == (1, [])
