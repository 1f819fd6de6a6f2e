"""What an agent's call tells of itself, as events of that agent and of no other."""

from __future__ import annotations

from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentStarted,
    ErrorInfo,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    RunStarted,
)
from llm_orc.errors import ProviderOverloaded, RateLimited
from tests.engine.conftest import ACCESS, ScriptedAgents
from tests.engine.test_execute import run
from tests.fakes.clocks import SetClock

NOW = 1_800_000_000.0


async def test_each_thing_that_a_call_tells_is_an_event_in_its_place() -> None:
    async def tells_all(turn: AgentTurn) -> str:
        turn.observer.retrying(RateLimited("busy", hint="wait"), 2, 1.5)
        turn.observer.switched("model-2", ACCESS, RateLimited("busy"))
        turn.observer.notice("a word to the reader")
        turn.observer.text("a piece")
        return "yes"

    sink, _ = await run(AgentSpec("a"), calls=ScriptedAgents({"a": tells_all}), clock=SetClock())

    path, code, exit_code = AgentPath("a"), RateLimited.code, RateLimited.exit_code
    *told, finished = sink.events[1:-1]
    assert told == [
        AgentStarted(NOW, path, "model"),
        ModelChosen(NOW, path, "model-1", ACCESS),
        ModelRetrying(NOW, path, 2, 1.5, ErrorInfo(code, "busy", "wait", exit_code)),
        ModelSwitched(NOW, path, "model-2", ACCESS, ErrorInfo(code, "busy", None, exit_code)),
        AgentNotice(NOW, path, "a word to the reader"),
        AgentDelta(path, "a piece"),
    ]
    assert isinstance(finished, AgentFinished)
    assert (finished.at, finished.agent) == (NOW, path)


async def test_a_failure_says_all_that_its_error_says_and_whether_it_may_be_billed() -> None:
    error = ProviderOverloaded("overloaded", hint="later")
    error.may_be_billed = True

    async def fails(_turn: AgentTurn) -> str:
        raise error

    sink, _ = await run(AgentSpec("a"), calls=ScriptedAgents({"a": fails}), clock=SetClock())

    [failed] = sink.of(AgentFailed)
    assert isinstance(failed, AgentFailed)
    assert failed.error == ErrorInfo(error.code, "overloaded", "later", error.exit_code, may_be_billed=True)


async def test_a_run_is_no_rehearsal_unless_it_says_so() -> None:
    sink, _ = await run(AgentSpec("a"), clock=SetClock())

    first = sink.events[0]
    assert isinstance(first, RunStarted)
    assert (first.run_id, first.ensemble, first.task) == ("run-1", "panel", "the task")
    assert not first.sandbox
