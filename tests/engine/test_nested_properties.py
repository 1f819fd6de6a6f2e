"""Random ensembles within ensembles: how many run at once, and where a run was cut, change no outcome."""

from __future__ import annotations

import asyncio
import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.spec import AgentSpec, NestedEnsemble, Requires
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork, Work
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentSkipped, RunFinished
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import ReplyUnreadable
from tests.engine.conftest import KeptEvents, RealClock
from tests.examples import many

REQUIRES: tuple[Requires, ...] = ("all", "any", "none")
Outcome = dict[str, str]


@st.composite
def agents(draw: st.DrawFn, depth: int) -> tuple[AgentSpec, ...]:
    made: list[AgentSpec] = []
    for number in range(draw(st.integers(1, 3))):
        before = [spec.name for spec in made]
        depends_on: tuple[str, ...] = ()
        if before:
            depends_on = tuple(draw(st.lists(st.sampled_from(before), unique=True, max_size=2)))
        work: Work = ModelWork()
        if depth and draw(st.booleans()):
            first = [f"${{{name}}}" for name in before[:1]]
            given_ = {"x": draw(st.sampled_from(["${task}", *first]))}
            inner = NestedEnsemble("inner", draw(agents(depth - 1)), inputs=(InputSpec("x"),))
            work = EnsembleWork(inner, given_, draw(st.sampled_from([None, "about ${task}"])))
        requires = draw(st.sampled_from(REQUIRES)) if depends_on else "all"
        made.append(AgentSpec(f"a{number}", work, depends_on, requires))
    return tuple(made)


async def outcome(
    ensemble: Ensemble, failing: int, max_concurrent: int, done: dict[str, AgentOutput]
) -> tuple[Outcome, dict[str, AgentOutput]]:
    """Run it. Return how each agent ended, and the answers in the order of their ends."""

    async def ask(turn: AgentTurn) -> AgentOutput:
        await asyncio.sleep(0)
        digest = hashlib.sha256(f"{turn.path} {turn.prompt}".encode()).digest()
        if digest[0] % 8 < failing:
            raise ReplyUnreadable("no text")
        return AgentOutput(digest.hex(), ())

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
    ends: Outcome = {path: output.text for path, output in done.items()}
    answers = dict(done)
    for event in sink.events:
        match event:
            case AgentFinished():
                ends[event.agent] = event.output.text
                answers[event.agent] = event.output
            case AgentFailed():
                ends[event.agent] = event.error.code
            case AgentSkipped():
                ends[event.agent] = "skipped"
            case RunFinished():
                ends[""] = event.status
            case _:
                pass
    return ends, answers


@settings(max_examples=many(60), deadline=None)
@given(agents(3), st.integers(0, 3), st.data())
def test_neither_slots_nor_a_stop_change_how_a_run_ends(
    specs: tuple[AgentSpec, ...], failing: int, data: st.DataObject
) -> None:
    ensemble = Ensemble("outer", specs)

    one, answers = asyncio.run(outcome(ensemble, failing, 1, {}))
    many, _ = asyncio.run(outcome(ensemble, failing, 8, {}))
    kept = dict(list(answers.items())[: data.draw(st.integers(0, len(answers)))])
    resumed, _ = asyncio.run(outcome(ensemble, failing, 2, kept))

    assert many == one
    inside_kept = {path for path in one if any(path.startswith(f"{outer}/") for outer in kept)}
    assert {k: v for k, v in resumed.items() if k not in inside_kept} == {
        k: v for k, v in one.items() if k not in inside_kept
    }
