"""`within`: an agent starts with those who have answered by then; later answers are kept, and it never sees them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.agents.script.work import ScriptWork
from llm_orc.agents.spec import AgentGroup, AgentSpec, Requires
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork
from llm_orc.engine.events import AgentSkipped, RecordedEvent, RunStarted
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.errors import InternalError
from llm_orc.runs.state import RunState
from tests.engine.conftest import KeptEvents, RealClock, ScriptedAgents


def without_tag(prompt: str) -> str:
    tag = prompt.partition("<part-")[2].partition(" ")[0]
    return prompt.replace(tag, "")


START = RunStart("run-1", "Go")


@dataclass
class Stage:
    """A clock and agents: limits are over, and answers come, when the test says so."""

    ends: dict[str, asyncio.Event] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)
    time_is_up: asyncio.Event = field(default_factory=asyncio.Event)
    sink: KeptEvents = field(default_factory=KeptEvents)
    called: ScriptedAgents = field(default_factory=ScriptedAgents)

    now = staticmethod(RealClock.now)
    monotonic = staticmethod(RealClock.monotonic)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.time_is_up.wait()

    def holds(self, *agents: str) -> None:
        """These agents answer only when `let` lets them; `broken` fails then."""
        for name in agents:
            self.ends[name] = asyncio.Event()
            self.called.behaviours[name] = self._answer

    async def _answer(self, turn: AgentTurn) -> str:
        await self.ends[turn.agent.name].wait()
        if turn.agent.name == "broken":
            raise InternalError("it broke")
        return f"answer of {turn.agent.name}"

    async def let(self, *agents: str) -> None:
        for name in agents:
            self.ends[name].set()
        await self.settle()

    async def up(self) -> None:
        self.time_is_up.set()
        await self.settle()

    @staticmethod
    async def settle() -> None:
        """Let everything happen that needs no one else."""
        for _ in range(30):
            await asyncio.sleep(0)

    def run(self, *agents: AgentSpec, start: RunStart = START) -> asyncio.Task[None]:
        return asyncio.create_task(
            execute(
                make_plan(AgentGroup("g", agents)),
                start,
                self.called,
                self.sink,
                clock=self,
                max_concurrent=9,
            )
        )

    @property
    def state(self) -> RunState:
        state = RunState()
        for event in self.sink.events:
            state.apply(event)
        return state

    def late(self) -> dict[str, tuple[str, ...]]:
        return {agent.name: agent.late_for for agent in self.state.result().agents if agent.late_for}


THREE = tuple(AgentSpec(name) for name in ("a", "b", "slow"))
NEEDS = ("a", "b", "slow")


async def test_it_starts_with_who_is_there_and_a_late_answer_is_marked_and_given_to_nobody() -> None:
    stage = Stage()
    stage.holds("a", "b", "slow", "chair")

    run = stage.run(*THREE, AgentSpec("chair", depends_on=NEEDS, within_s=30))
    await stage.let("a", "b")
    assert (stage.slept, "chair" in stage.called.called) == ([30], False)
    await stage.up()
    await stage.let("slow")
    await stage.let("chair")
    await run

    prompt = stage.called.prompts["chair"]
    assert "of='missing' agent='slow'>This agent has not answered yet.<" in prompt
    assert prompt.count("of='answer'") == 2
    assert stage.late() == {"slow": ("chair",)}
    assert stage.state.result().status == "completed"
    assert stage.state.result()["slow"].response == "answer of slow"
    assert stage.state.result().total.calls == 4


async def test_it_doesn_t_wait_where_all_have_answered_before() -> None:
    stage = Stage()

    await stage.run(*THREE, AgentSpec("chair", depends_on=NEEDS, within_s=30))

    assert stage.called.prompts["chair"].count("of='answer'") == 3
    assert stage.late() == {}


@pytest.mark.parametrize(
    ("requires", "before", "after"),
    [("all", (), ("a",)), ("any", (), ("a",)), ("none", (), ()), (2, ("a",), ("b",)), (2, ("a", "b"), ())],
)
async def test_after_it_as_many_as_are_required_are_enough(
    requires: Requires, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """A number without `within` is enough at once; with it, it is the least after it."""
    stage = Stage()
    stage.holds("a", "b", "slow")

    run = stage.run(*THREE, AgentSpec("chair", depends_on=NEEDS, within_s=1, requires=requires))
    await stage.let(*before)
    assert "chair" not in stage.called.called
    await stage.up()
    assert ("chair" in stage.called.called) is not bool(after)
    await stage.let(*after)
    assert "chair" in stage.called.called
    await stage.let("a", "b", "slow")
    await run

    assert set(stage.late()) == {"a", "b", "slow"} - {*before, *after}


async def test_a_failure_that_has_happened_counts_as_without_a_limit() -> None:
    stage = Stage()
    stage.holds("a", "broken", "slow")
    needs = ("a", "broken", "slow")

    run = stage.run(
        AgentSpec("a"),
        AgentSpec("broken"),
        AgentSpec("slow"),
        AgentSpec("all", depends_on=needs, within_s=1),
        AgentSpec("any", depends_on=needs, within_s=1, requires="any"),
    )
    await stage.let("a", "broken")
    await stage.up()
    await stage.let("slow")
    await run

    assert [e.because for e in stage.sink.of(AgentSkipped) if isinstance(e, AgentSkipped)] == [("broken",)]
    assert "This agent gave no answer" in stage.called.prompts["any"]
    assert stage.late() == {"slow": ("any",)}


async def test_nobody_in_time_and_nobody_later_is_a_skip_with_its_reason() -> None:
    stage = Stage()
    stage.holds("broken")

    run = stage.run(AgentSpec("broken"), AgentSpec("chair", depends_on=("broken",), within_s=1))
    await stage.settle()
    await stage.up()
    await stage.let("broken")
    await run

    assert [e.because for e in stage.sink.of(AgentSkipped) if isinstance(e, AgentSkipped)] == [("broken",)]


async def test_the_agents_of_a_condition_are_waited_for() -> None:
    stage = Stage()
    stage.holds("a", "slow")

    run = stage.run(
        AgentSpec("a"),
        AgentSpec("slow"),
        AgentSpec("chair", depends_on=("a", "slow"), within_s=1, when="has(${slow})"),
    )
    await stage.let("a")
    await stage.up()
    assert "chair" not in stage.called.called
    await stage.let("slow")
    await run

    assert "chair" in stage.called.called
    assert stage.late() == {}


async def test_an_answer_that_is_late_for_one_is_in_time_for_another() -> None:
    stage = Stage()
    stage.holds("a", "slow")

    run = stage.run(
        AgentSpec("a"),
        AgentSpec("slow"),
        AgentSpec("quick", depends_on=("a", "slow"), within_s=1),
        AgentSpec("patient", ModelWork(prompt="${slow}"), depends_on=("a",)),
    )
    await stage.let("a")
    await stage.up()
    await stage.let("slow")
    await run

    assert "answer of slow" in stage.called.prompts["patient"]
    assert stage.late() == {"slow": ("quick",)}


async def test_a_late_answer_of_a_quorum_is_marked_too() -> None:
    stage = Stage()
    stage.holds("slow")

    run = stage.run(*THREE, AgentSpec("chair", depends_on=NEEDS, requires=2))
    await stage.settle()
    await stage.let("slow")
    await run

    assert stage.late() == {"slow": ("chair",)}
    assert stage.slept == []


async def test_its_time_begins_when_the_first_that_it_needs_starts() -> None:
    stage = Stage()
    stage.holds("first", "a")

    run = stage.run(
        AgentSpec("first"),
        AgentSpec("a", depends_on=("first",)),
        AgentSpec("b", depends_on=("first",)),
        AgentSpec("chair", depends_on=("a", "b"), within_s=5),
    )
    await stage.settle()
    assert stage.slept == []
    await stage.let("first")
    assert stage.slept == [5]
    await stage.let("a")
    await run


@pytest.mark.parametrize("is_late_done", [False, True])
async def test_a_run_that_goes_on_gives_the_same_prompt(is_late_done: bool) -> None:
    """Who was there is what the record says, whatever has been answered until the process was killed."""
    agents = (*THREE, AgentSpec("chair", depends_on=NEEDS, within_s=30), AgentSpec("last", depends_on=("chair",)))
    before = Stage()
    before.holds("slow", "chair")
    run = before.run(*agents)
    await before.settle()
    await before.up()
    if is_late_done:
        await before.let("slow")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    earlier = before.state
    again = RunStarted(9.0, "run-1", "g", tuple(earlier.agents), "Go", resumed=tuple(earlier.outputs))
    earlier.apply(again)  # and killed once more, before anything started

    stage = Stage()
    start = RunStart("run-1", "Go", done=earlier.outputs, before=earlier.before)
    await stage.run(*agents, start=start)

    assert without_tag(stage.called.prompts["chair"]) == without_tag(before.called.prompts["chair"])
    assert ("slow" in stage.called.called) is not is_late_done
    stage.sink.events[:0] = [event for event in before.sink.events if isinstance(event, RecordedEvent)]
    assert stage.late() == {"slow": ("chair",)}


async def test_a_program_is_not_told_a_late_answer_either() -> None:
    stage = Stage()
    stage.holds("slow", "chair")
    told: list[str] = []

    async def listens(turn: AgentTurn) -> str:
        await stage.let("slow")
        assert turn.scope is not None
        told.extend(turn.scope.outputs)
        return "done"

    stage.called.behaviours["chair"] = listens
    run = stage.run(*THREE, AgentSpec("chair", ScriptWork(argv=("cat",)), depends_on=NEEDS, within_s=1))
    await stage.settle()
    await stage.up()
    await run

    assert sorted(told) == ["a", "b"]
    assert '"status":"pending"' in stage.called.prompts["chair"]


async def test_an_agent_starts_in_time_beside_one_that_waits_for_a_person() -> None:
    stage = Stage()

    async def asks(_: AgentTurn) -> str:
        raise WaitsForPerson

    stage.called.behaviours["ok"] = asks
    needs = ("a", "ok")

    run = stage.run(
        AgentSpec("a"),
        AgentSpec("ok"),
        AgentSpec("chair", depends_on=needs, within_s=30),
        AgentSpec("all", depends_on=("chair", "ok")),
    )
    await stage.settle()
    assert not run.done()
    await stage.up()
    await run

    statuses = {agent.name: agent.status for agent in stage.state.result().agents}
    assert statuses == {"a": "completed", "ok": "waiting", "chair": "completed", "all": "waiting"}


async def test_nobody_waits_for_a_time_after_which_nothing_can_start() -> None:
    stage = Stage()

    async def asks(_: AgentTurn) -> str:
        raise WaitsForPerson

    stage.called.behaviours["ok"] = asks
    await stage.run(AgentSpec("ok"), AgentSpec("chair", depends_on=("ok",), within_s=30))

    assert stage.state.result().status == "waiting"


async def test_a_quorum_that_knew_of_a_failure_knows_of_it_when_the_run_goes_on() -> None:
    agents = (AgentSpec("broken"), *THREE[:2], AgentSpec("chair", depends_on=("broken", "a", "b"), requires=2))
    before = Stage()
    before.holds("broken", "b", "chair")
    run = before.run(*agents)
    await before.let("broken")
    await before.let("b")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    earlier = before.state

    stage = Stage()
    stage.holds("broken")
    start = RunStart("run-1", "Go", done=earlier.outputs, before=earlier.before)
    again = stage.run(*agents, start=start)
    await stage.settle()
    assert "chair" not in stage.called.called  # it would be told that nobody knows of `broken` yet
    await stage.let("broken")
    await again

    assert without_tag(stage.called.prompts["chair"]) == without_tag(before.called.prompts["chair"])
    assert stage.late() == {}
