"""Random lists, nested at random, with faults: slots and where a run was cut change no outcome."""

from __future__ import annotations

import asyncio
import hashlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentSkipped, RunFinished
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import ReplyUnreadable
from llm_orc.runs.state import RunState
from tests.engine.conftest import KeptEvents, RealClock

ITEMS = st.lists(st.one_of(st.text(max_size=3), st.integers(0, 9), st.just({"x": [1]})), max_size=4)


@st.composite
def agents(draw: st.DrawFn, depth: int) -> tuple[AgentSpec, ...]:
    """Agents after each other, each over a written list, over the answer of the one before it, or once."""
    made: list[AgentSpec] = []
    for number in range(draw(st.integers(1, 3))):
        before = tuple(spec.name for spec in made[-1:])
        over = draw(st.sampled_from(["list", "before", "once"]))
        fan_out = None
        if over != "once":
            fan_out = FanOut(
                None if over == "before" and before else tuple(draw(ITEMS)),
                max=draw(st.sampled_from([3, 100])),
                max_concurrent=draw(st.sampled_from([None, 1, 2])),
                on_item_failure=draw(st.sampled_from(["keep", "keep", "fail"])),
            )
        item = "${item}" if fan_out else "nothing"
        work: ModelWork | EnsembleWork = ModelWork(prompt=f"{item} of ${{task}}")
        if depth and draw(st.booleans()):
            inner = NestedEnsemble("inner", draw(agents(depth - 1)), inputs=(InputSpec("x"),))
            work = EnsembleWork(inner, {"x": f"about {item}"}, "inner task")
        made.append(AgentSpec(f"a{number}", work, before, "any" if before else "all", fan_out=fan_out))
    return tuple(made)


async def outcome(
    ensemble: Ensemble, failing: int, max_concurrent: int, done: dict[str, AgentOutput]
) -> tuple[dict[str, str], dict[str, AgentOutput], int]:
    """Run it. Return how each agent ended, the answers in the order of their ends, and how many were asked."""
    called: list[str] = []

    async def ask(turn: AgentTurn) -> AgentOutput:
        called.append(turn.path)
        digest = hashlib.sha256(f"{turn.path} {turn.prompt}".encode("utf-8", "surrogatepass")).digest()
        for _ in range(digest[1] % 3):
            await asyncio.sleep(0)
        if digest[0] % 8 < failing:
            raise ReplyUnreadable("no text")
        return AgentOutput(json.dumps([digest.hex()[:4]] * (digest[2] % 4)), ())

    sink = KeptEvents()
    async with asyncio.timeout(20):
        await execute(
            make_plan(ensemble),
            RunStart("run", "the task", done=done),
            AgentCaller(ask, rehearsal=False),
            sink,
            clock=RealClock(),
            max_concurrent=max_concurrent,
        )
    assert len(set(called)) == len(called)
    if not done:
        check_counts(sink)
    return *ends_of(sink, done), len(called)


def check_counts(sink: KeptEvents) -> None:
    """What is counted while it runs is what the answer says in the end."""
    state = RunState()
    for event in sink.events:
        state.apply(event)
    for agent in state.agents.values():
        if agent.items is not None and agent.output is not None:
            assert agent.items == agent.output.items, agent.name


def ends_of(sink: KeptEvents, done: dict[str, AgentOutput]) -> tuple[dict[str, str], dict[str, AgentOutput]]:
    ends = {path: output.text for path, output in done.items()}
    answers = dict(done)
    for event in sink.events:
        match event:
            case AgentFinished():
                ends[event.agent] = event.output.text
                answers[event.agent] = event.output
            case AgentFailed():
                ends[event.agent] = event.error.message
            case AgentSkipped():
                ends[event.agent] = "skipped"
            case RunFinished():
                ends[""] = event.status
            case _:
                pass
    return ends, answers


def stops_early(specs: tuple[AgentSpec, ...]) -> bool:
    return any(
        (spec.fan_out is not None and spec.fan_out.on_item_failure == "fail")
        or (
            isinstance(spec.work, EnsembleWork)
            and isinstance(spec.work.ensemble, NestedEnsemble)
            and stops_early(spec.work.ensemble.agents)
        )
        for spec in specs
    )


@settings(max_examples=40, deadline=None)
@given(agents(2), st.integers(0, 3), st.data())
def test_neither_slots_nor_a_stop_change_how_items_end(
    specs: tuple[AgentSpec, ...], failing: int, data: st.DataObject
) -> None:
    ensemble = Ensemble("outer", specs)

    one, answers, asked = asyncio.run(outcome(ensemble, failing, 1, {}))
    many, _, _ = asyncio.run(outcome(ensemble, failing, 8, {}))
    kept = dict(list(answers.items())[: data.draw(st.integers(0, len(answers)))])
    resumed, _, again = asyncio.run(outcome(ensemble, failing, 2, kept))

    if stops_early(specs):  # how many begin before the first failure depends on how many run at once
        one, many, resumed = ({"": ends[""]} for ends in (one, many, resumed))
    assert many == one
    assert again <= asked or stops_early(specs)
    inside_kept = {path for path in one if any(path.startswith((f"{outer}/", f"{outer}[")) for outer in kept)}
    assert {k: v for k, v in resumed.items() if k not in inside_kept} == {
        k: v for k, v in one.items() if k not in inside_kept
    }
