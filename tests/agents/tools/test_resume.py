"""An agent with tools whose process is gone: the next one goes on with its record, whatever was the last of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.tools.tool import ToolResult, ToolUse
from llm_orc.agents.work import ModelWork
from llm_orc.engine.events import AgentDelta, AgentFinished, RunEvent, ToolFinished, ToolsAsked, ToolStarted
from llm_orc.errors import ProviderOverloaded
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import ModelRequest, Reply, Usage
from llm_orc.providers.parts import OwnBlocks
from llm_orc.runs.state import RunState
from llm_orc.runs.wire import decode_event, encode_event
from tests.agents.tools.conftest import FewTools, WrittenModel, call, few_tools, run
from tests.engine.conftest import KeptEvents

ROUNDS = 3


def _rounds(request: ModelRequest) -> int:
    return sum(bool(message.results) for message in request.messages)


async def _next_turn(request: ModelRequest) -> Reply:
    """Call two tools in each of three rounds, then tell what became of them."""
    done = _rounds(request)
    if done < ROUNDS:
        own = OwnBlocks("anthropic", (f"signed {done}",))
        calls = (call("run_write", {"n": done}, f"w{done}"), call("run_put", {"n": done}, f"p{done}"))
        return Reply("", "m-today", Usage(10, 5), "tool_use", calls=calls, own=own)
    told = [answer.text for message in request.messages for answer in message.results]
    return Reply(" | ".join(told), "m-today", Usage(10, 5))


def model() -> WrittenModel:
    return WrittenModel(*[_next_turn] * (ROUNDS + 1))


def tools() -> FewTools:
    async def does(use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
        return ToolResult(f"{use.number} done")

    return few_tools({"run.write": does, "run.put": does}, idempotent=["run.put"])


def folded(events: Sequence[RunEvent]) -> RunState:
    """Return the state of the events as they come out of the journal."""
    state = RunState()
    for event in events:
        assert not isinstance(event, AgentDelta)
        for stored in decode_event(*encode_event(event)):
            state.apply(stored)
    return state


async def test_whatever_was_the_last_of_the_record_no_turn_is_paid_twice_and_no_finished_tool_repeated() -> None:
    whole = [e for e in (await run(model(), tools())).events if not isinstance(e, AgentFinished)]
    ends = [i for i, e in enumerate(whole) if isinstance(e, ToolsAsked | ToolStarted | ToolFinished)]

    for last in ends:
        record = whole[: last + 1]
        asked = sum(isinstance(e, ToolsAsked) for e in record)
        begun = {e.tool.number for e in record if isinstance(e, ToolStarted)}
        ended = {e.tool.number for e in record if isinstance(e, ToolFinished)}
        state = folded(record)
        again, used = model(), tools()

        sink = await run(again, used, before=state.before)

        assert len(again.requests) == ROUNDS + 1 - asked
        assert len(used.called) == 2 * ROUNDS - len(ended) - len([n for n in begun - ended if n % 2 == 0])
        for event in sink.events:
            state.apply(event)
        result = state.result()
        told = str(result.answer).split(" | ")
        assert len(told) == 2 * ROUNDS
        for number, text in enumerate(told):
            is_unknown = number in begun - ended and number % 2 == 0
            assert text.startswith("It is not known") if is_unknown else text == f"{number} done"
        assert (result.total.calls, result.total.cost_usd) == (ROUNDS + 1, 0.25 * (ROUNDS + 1))
        assert [m.own.blocks for m in again.requests[-1].messages if m.own] == [
            (f"signed {n}",) for n in range(ROUNDS)
        ]


async def test_a_provider_that_fails_in_the_middle_costs_nothing_of_what_was_done() -> None:
    first = WrittenModel(_next_turn, _next_turn, ProviderOverloaded("busy"))
    sink = await run(first, tools())
    state = folded(sink.events)
    again, used = model(), tools()

    await run(again, used, before=state.before)

    assert len(again.requests) == 2
    assert [arguments for _, arguments in used.called] == [{"n": 2}, {"n": 2}]


async def test_another_prompt_begins_anew_with_numbers_of_its_own() -> None:
    state = folded((await run(WrittenModel(_next_turn, ProviderOverloaded("busy")), tools())).events)
    again, used = model(), tools()

    sink = await run(again, used, task="another task", before=state.before)

    assert (len(again.requests), len(used.called)) == (ROUNDS + 1, 2 * ROUNDS)
    assert [e.tool.number for e in sink.events if isinstance(e, ToolStarted)] == list(range(2, 2 + 2 * ROUNDS))


async def test_an_answer_that_is_sent_back_goes_on_with_the_tools_that_were_called() -> None:
    work = ModelWork(tools=("run.write",), schema={"type": "object"})
    spec = AgentSpec("a", work)
    first = WrittenModel([call("run_write")], "no", ProviderOverloaded("busy"))
    used = tools()
    state = folded((await run(first, used, spec)).events)

    again = WrittenModel("{}")
    await run(again, used, spec, before=state.before)

    assert len(used.called) == 1
    assert [bool(m.results) for m in again.requests[0].messages] == [False, False, True]


@pytest.mark.parametrize("reads", [(), ("run.write",)])
async def test_a_run_that_is_cancelled_ends_its_tools_and_knows_what_is_unknown(reads: tuple[str, ...]) -> None:
    at_work, ended = asyncio.Event(), []

    async def waits(_use: ToolUse, _arguments: dict[str, JsonValue]) -> ToolResult:
        at_work.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")
        return ToolResult("never")

    sink = KeptEvents()
    used = few_tools({"run.write": waits}, reads=reads)
    asked = [call("run_write", {"n": n}, str(n)) for n in range(2)]
    task = asyncio.create_task(run(WrittenModel(asked), used, sink=sink))
    await at_work.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    begun = 2 if reads else 1  # side by side, or one after the other
    assert ended == ["cleaned up"] * begun
    again = WrittenModel("I see.")
    done = few_tools()
    done.tools = {"run.write": few_tools({"run.write": waits}).tools["run.write"]}
    state = folded(sink.events)
    assert state.result()["a"].tools[0].outcome is None
    if reads:
        await run(again, done, before=state.before)
        assert [a.text[:15] for a in again.requests[0].messages[-1].results] == ["It is not known"] * 2
