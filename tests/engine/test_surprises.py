"""Whatever an agent's work raises is that agent's failure: the others go on, and what they said is there."""

from __future__ import annotations

import asyncio
import logging

import pytest

from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.engine.events import AgentFailed, AgentFinished, RecordedEvent, RunFinished, RunStopped
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.engine.surprises import as_error, without_credentials
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import InternalError, RateLimited, StorageError
from tests.engine.conftest import Behaviour, KeptEvents, RealClock, ScriptedAgents

PANEL = make_plan(
    Ensemble(
        "panel",
        (
            AgentSpec("odd"),
            AgentSpec("good"),
            AgentSpec("chair", depends_on=("odd", "good"), requires="any"),
            AgentSpec("clerk", depends_on=("odd",)),
        ),
    )
)


class Wordless(Exception):
    """Even its own words break."""

    def __str__(self) -> str:
        raise ValueError("no words")


SURPRISES = [
    ValueError("usage -5"),
    KeyError("x"),
    OverflowError("date value out of range"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed"),
    RecursionError("too deep"),
    MemoryError(),
    AssertionError(),
    StopAsyncIteration(),
    ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    TimeoutError(),
    OSError(24, "Too many open files"),
    asyncio.CancelledError(),
    asyncio.InvalidStateError(),
    Wordless(),
]


def raising(surprise: BaseException) -> Behaviour:
    async def behave(_turn: AgentTurn) -> str:
        raise surprise

    return behave


async def run(behaviour: Behaviour, sink: KeptEvents | None = None) -> KeptEvents:
    sink = sink or KeptEvents()
    calls = ScriptedAgents({"odd": behaviour})
    await execute(PANEL, RunStart("r", "t"), calls, sink, clock=RealClock(), max_concurrent=9)
    return sink


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda e: type(e).__name__)
async def test_any_exception_is_one_agents_failure(surprise: BaseException) -> None:
    sink = await run(raising(surprise))

    assert [e.agent for e in sink.events if isinstance(e, AgentFinished)] == ["good", "chair"]
    [failed] = [e for e in sink.events if isinstance(e, AgentFailed)]
    assert failed.agent == "odd"
    assert failed.error.code in {"internal_error", "storage"}
    assert failed.error.message.isprintable()
    assert isinstance(sink.events[-1], RunFinished)
    assert sink.events[-1].status == "completed_with_errors"


async def test_what_the_watching_of_an_agent_raises_is_its_failure_too() -> None:
    class Strict(KeptEvents):
        def delta(self, event: object) -> None:
            raise TypeError("can't show this")

    async def streams(turn: AgentTurn) -> str:
        turn.observer.text("piece")
        return "never"

    sink = await run(streams, Strict())

    assert [e.agent for e in sink.events if isinstance(e, AgentFinished)] == ["good", "chair"]


async def test_an_answer_that_can_not_be_kept_is_a_failure_and_no_end() -> None:
    class Choosy(KeptEvents):
        async def commit(self, event: RecordedEvent) -> None:
            if isinstance(event, AgentFinished) and event.agent == "odd":
                raise OverflowError("Python int too large")
            await super().commit(event)

    async def answers(_turn: AgentTurn) -> str:
        return "an answer"

    sink = await run(answers, Choosy())

    assert [e.agent for e in sink.events if isinstance(e, AgentFailed)] == ["odd"]
    assert isinstance(sink.events[-1], RunFinished)


async def test_a_run_that_is_cancelled_is_still_cancelled() -> None:
    begun = asyncio.Event()

    async def spoils_its_cancellation(_turn: AgentTurn) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("while it was cancelled") from None
        return "never"

    sink = KeptEvents()
    running = asyncio.create_task(run(spoils_its_cancellation, sink))
    await begun.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert isinstance(sink.events[-1], RunStopped)


async def test_what_carries_the_run_passes_where_that_is_asked_for() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await execute(
            PANEL,
            RunStart("r", "t"),
            ScriptedAgents({"odd": raising(KeyError("store"))}),
            KeptEvents(),
            clock=RealClock(),
            max_concurrent=9,
            passes=Exception,
        )
    assert isinstance(caught.value.exceptions[0], KeyError)


def test_a_surprise_says_whose_mistake_it_is_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "llm_orc"):
        error = as_error(ValueError("no such thing"))

    assert isinstance(error, InternalError)
    assert error.message == "an internal error in llm-orc: `ValueError: no such thing`"
    assert "--debug" in (error.hint or "")
    assert "ValueError: no such thing" in caplog.text


def test_our_own_errors_and_those_of_the_system_stay_what_they_are() -> None:
    busy = RateLimited("busy")

    assert as_error(busy) is busy
    assert as_error(ExceptionGroup("", [busy])) is busy
    full = as_error(OSError(28, "No space left on device", "/x"))
    assert isinstance(full, StorageError)
    assert full.message == "the system reports `/x`: No space left on device"


def test_a_surprise_quotes_no_credential() -> None:
    assert without_credentials("Header: sk-canary-1234", {"OPENAI_API_KEY": "sk-canary-1234"}) == "Header: ***"


def test_a_surprise_says_nothing_of_whether_the_call_is_billed() -> None:
    assert as_error(ValueError("no such thing")).may_be_billed
    assert not as_error(RateLimited("busy")).may_be_billed
