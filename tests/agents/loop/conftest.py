"""Runs ensembles with loops, whose agents answer as a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.turn import AgentTurn
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentNotice, RunEvent
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import ReplyUnreadable
from llm_orc.runs.state import RunState
from tests.engine.conftest import KeptEvents, RealClock

Answer = Callable[[AgentTurn], str]


@dataclass
class Ended:
    """How a run ended. `asked` has the prompts of the agents that were asked, in order."""

    asked: dict[str, str]
    outputs: dict[str, AgentOutput] = field(default_factory=dict)
    record: list[RunEvent] = field(default_factory=list)
    state: RunState = field(default_factory=RunState)
    failed: dict[str, str] = field(default_factory=dict)
    notices: dict[str, list[str]] = field(default_factory=dict)


async def run(
    text: str,
    answer: Answer = lambda turn: f"answer of {turn.path}",
    *,
    task: str = "the task",
    done: dict[str, AgentOutput] | None = None,
    earlier: Sequence[RunEvent] = (),
    rehearsal: bool = False,
) -> Ended:
    """Run the ensemble. `answer` returns what an agent says; empty text is a failure. `earlier` is a record."""
    asked: dict[str, str] = {}

    async def ask(turn: AgentTurn) -> AgentOutput:
        asked[turn.path] = turn.prompt
        said = answer(turn)
        if not said:
            raise ReplyUnreadable("no text")
        return AgentOutput(said, ())

    sink, state = KeptEvents(), RunState()
    for event in earlier:
        state.apply(event)
    await execute(
        make_plan(parse_ensemble_text(text).ensemble),
        RunStart("run-1", task, done={**state.outputs, **(done or {})}, before=state.before, sandbox=rehearsal),
        AgentCaller(ask, rehearsal=rehearsal),
        sink,
        clock=RealClock(),
        max_concurrent=4,
    )
    ended = Ended(asked, dict(done or {}), [*earlier, *sink.events])
    for event in ended.record:
        ended.state.apply(event)
        match event:
            case AgentFinished():
                ended.outputs[event.agent] = event.output
            case AgentFailed():
                ended.failed[event.agent] = event.error.message
            case AgentNotice():
                ended.notices.setdefault(event.agent, []).append(event.message)
            case _:
                pass
    return ended
