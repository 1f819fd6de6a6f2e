"""Random ensembles of all that runs agents within agents: slots, stops and people who answer later change nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.approval.work import ApprovalWork
from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.loop.work import LoopWork
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.people.question import Answer, Question, WaitsForPerson
from llm_orc.agents.samples.spec import Judge, Samples
from llm_orc.agents.spec import AgentSpec, NestedEnsemble, Requires
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork, Work
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentSkipped, RunFinished
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import Plan, make_plan
from llm_orc.engine.slots import Slots
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import ReplyUnreadable
from llm_orc.jsontypes import JsonValue
from llm_orc.runs.state import RunState
from tests.engine.conftest import KeptEvents, RealClock
from tests.examples import many

VALUES: tuple[JsonValue, ...] = ("x", 7, {"k": [1]})
ITEMS = st.lists(st.sampled_from(VALUES), max_size=3)
TIMED: tuple[Requires, ...] = ("all", "any", "none", 1)


@st.composite
def agents(draw: st.DrawFn, depth: int, *, timed: bool, in_rounds: bool = False) -> tuple[AgentSpec, ...]:
    made: list[AgentSpec] = []
    for number in range(draw(st.integers(1, 3))):
        before = [spec.name for spec in made]
        depends_on = tuple(draw(st.lists(st.sampled_from(before), unique=True, max_size=2))) if before else ()
        fan_out = draw(fan_outs(depends_on)) if draw(st.integers(0, 2)) == 0 else None
        words = [
            "${task}",
            *(["${item} ${index}"] if fan_out else []),
            *(["${round} ${last.a0}"] if in_rounds else []),
        ]
        words += [f"${{{name}}}" for name in before[:1] if draw(st.booleans())]
        work, samples = draw(works(depth, " ".join(words), timed=timed))
        made.append(
            AgentSpec(
                f"a{number}",
                work,
                depends_on,
                draw(st.sampled_from(TIMED if timed else TIMED[:-1])) if depends_on else "all",
                within_s=draw(st.sampled_from([None, 0.0, 0.002])) if timed and depends_on else None,
                when=f"size(${{{before[0]}}}) > 2" if before and draw(st.integers(0, 3)) == 0 else None,
                fan_out=fan_out,
                samples=samples,
            )
        )
    return tuple(made)


@st.composite
def fan_outs(draw: st.DrawFn, depends_on: tuple[str, ...]) -> FanOut:
    is_answer = bool(depends_on) and draw(st.booleans())
    over: tuple[JsonValue, ...] | None = None if is_answer else tuple(draw(ITEMS))
    return FanOut(over, max_concurrent=draw(st.sampled_from([None, 1, 2])))


@st.composite
def works(draw: st.DrawFn, depth: int, words: str, *, timed: bool) -> tuple[Work, Samples | None]:
    kind = draw(st.sampled_from(["model", "samples", "person", *(["ensemble", "loop", "loop"] if depth else [])]))
    match kind:
        case "model":
            return ModelWork(prompt=words), None
        case "samples":
            judge = draw(st.sampled_from([None, Judge()]))
            return ModelWork(prompt=words), Samples(draw(st.integers(2, 5)), judge=judge)
        case "person":
            return ApprovalWork(f"Go on with {words}?"), None
        case "ensemble":
            inner = NestedEnsemble("inner", draw(agents(depth - 1, timed=timed)), inputs=(InputSpec("x"),))
            return EnsembleWork(inner, {"x": f"about {words}"}, "inner task"), None
        case _:
            body = NestedEnsemble("body", draw(agents(depth - 1, timed=timed, in_rounds=True)), is_body=True)
            until = draw(st.sampled_from([None, "${round} >= 2", "size(${a0}) > 10"]))
            carry = draw(st.sampled_from([None, "carried ${a0}"]))
            rounds = draw(st.integers(1, 3))
            return LoopWork(body, until, rounds, carry_task=carry, task=f"loop over {words}"), None


def answer(turn: AgentTurn, digest: bytes) -> str:
    """Return a list; of a judge, one of the answers that it was given."""
    if not turn.path.endswith("/judge"):
        return json.dumps([digest.hex()[:4]] * (digest[2] % 4))
    numbers = re.findall(r"of='answer' number='(\d+)'", turn.prompt)
    return json.dumps({"why": "w", "best": int(numbers[digest[2] % len(numbers)])})


@dataclass
class World:
    """The agents of one run, in all attempts at it. A person answers in the attempt after the question."""

    plan: Plan
    failing: int
    is_patient: bool  # False: a person answers at once
    done: dict[str, AgentOutput] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    state: RunState = field(default_factory=RunState)

    async def attempt(self, most: int, stop_after: int | None) -> None:
        """Run what is left, with so many at once; and stop after so many questions."""
        asked: set[str] = set()
        slots: list[Slots] = []
        task = asyncio.current_task()
        assert task is not None

        def see(turn: AgentTurn) -> None:
            assert not any(
                turn.path == path or turn.path.startswith((f"{path}/", f"{path}[")) for path in self.done
            )
            assert turn.path not in asked
            asked.add(turn.path)
            assert self.prompts.setdefault(turn.path, turn.prompt) == turn.prompt
            if not slots:
                slots.append(turn.idle.func.__self__.shared.slots)  # type: ignore[attr-defined]
            if len(asked) == stop_after:
                running.cancel()

        async def ask(turn: AgentTurn) -> AgentOutput:
            see(turn)
            digest = hashlib.sha256(f"{turn.path} {turn.prompt}".encode()).digest()
            for _ in range(digest[1] % 4):
                await asyncio.sleep(0)
            if digest[0] % 8 < self.failing:
                raise ReplyUnreadable("no text")
            return AgentOutput(answer(turn, digest), ())

        async def person(turn: AgentTurn, question: Question) -> Answer:
            see(turn)
            async with turn.idle():
                await asyncio.sleep(0)
                if self.is_patient and turn.path not in self.known:
                    self.known.add(turn.path)
                    raise WaitsForPerson
            return Answer("ada", 1.0, question.choices[0])

        sink = KeptEvents()
        start = RunStart("run", "the task", done=dict(self.done), before=self.state.before)
        caller = AgentCaller(ask, rehearsal=False, ask_person=person)
        running = asyncio.ensure_future(
            execute(self.plan, start, caller, sink, clock=RealClock(), max_concurrent=most)
        )
        async with asyncio.timeout(10):
            await asyncio.wait({running})
        if not running.cancelled():
            running.result()
        assert asyncio.all_tasks() == {task}
        assert all(one._free == one.number for one in slots)
        self.learn(sink)

    def learn(self, sink: KeptEvents) -> None:
        self.ends.pop("", None)
        for event in sink.events:
            self.state.apply(event)
            match event:
                case AgentFinished():
                    self.done[event.agent] = event.output
                    self.ends[event.agent] = event.output.text
                case AgentFailed():
                    self.ends[event.agent] = event.error.message
                case AgentSkipped():
                    self.ends[event.agent] = f"skipped: {event.reason} {event.because}"
                case RunFinished():
                    self.ends[""] = event.status
                case _:
                    pass

    async def to_the_end(self, most: int, stops: list[int]) -> dict[str, str]:
        for stop in stops:
            await self.attempt(most, stop)
            if self.ends.get("") not in {None, "waiting"}:
                return self.ends
        for _ in range(200):
            await self.attempt(most, None)
            if self.ends[""] != "waiting":
                return self.ends
        raise AssertionError("it waits for ever")


@settings(max_examples=many(200, few=15), deadline=None)
@given(agents(3, timed=False), st.integers(0, 2), st.integers(1, 3), st.lists(st.integers(1, 9), max_size=3))
def test_slots_stops_and_people_who_answer_later_change_no_outcome(
    specs: tuple[AgentSpec, ...], failing: int, most: int, stops: list[int]
) -> None:
    plan = make_plan(Ensemble("outer", specs))

    one = asyncio.run(World(plan, failing, is_patient=False).to_the_end(8, []))
    other = asyncio.run(World(plan, failing, is_patient=True).to_the_end(most, stops))

    assert other == one


@settings(max_examples=many(200, few=15), deadline=None)
@given(agents(2, timed=True), st.integers(1, 3), st.lists(st.integers(1, 9), max_size=3))
def test_whoever_has_started_is_asked_the_same_again(
    specs: tuple[AgentSpec, ...], most: int, stops: list[int]
) -> None:
    plan = make_plan(Ensemble("outer", specs))

    asyncio.run(World(plan, 0, is_patient=True).to_the_end(most, stops))
