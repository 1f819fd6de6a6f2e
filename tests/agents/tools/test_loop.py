"""An agent with tools: its model asks for them until it answers, and is told what became of each call."""

from __future__ import annotations

import asyncio

import pytest

from llm_orc.agents.model.fields import MODEL_FIELDS
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.tools.names import sendable_names
from llm_orc.agents.tools.tool import ToolResult, ToolUse
from llm_orc.agents.work import ModelWork
from llm_orc.auth.access import Billing
from llm_orc.auth.secret import remember
from llm_orc.engine.events import AgentFailed, AgentFinished, ToolFinished, ToolStarted
from llm_orc.errors import ProviderOverloaded, ToolServerError
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import Message
from llm_orc.providers.parts import LONGEST_TOOL_NAME, OwnBlocks, ToolAnswer, ToolCall
from llm_orc.storage.field_types import WrongValue
from tests.agents.tools.conftest import WrittenModel, call, few_tools, run, state_of
from tests.engine.conftest import KeptEvents


def answer_of(sink: KeptEvents) -> str:
    return next(e.output.text for e in sink.events if isinstance(e, AgentFinished) and e.agent == "a")


def told(model: WrittenModel) -> list[tuple[str, bool]]:
    """Return what the model was told of the calls before its last request."""
    return [(answer.text, answer.is_error) for answer in model.requests[-1].messages[-1].results]


async def test_the_model_gets_its_own_turns_and_the_results_until_it_answers() -> None:
    tools = few_tools()
    model = WrittenModel([call("run_it", {"n": 1})], [call("run_it", {"n": 2}, "second")], "Done.")

    sink = await run(model, tools)

    assert (answer_of(sink), tools.called) == ("Done.", [("run.it", {"n": 1}), ("run.it", {"n": 2})])
    assert [offer.name for offer in model.requests[0].tools] == ["run_it"]
    first, asked, results, again, last = model.requests[2].messages
    assert (first.content, asked.calls, again.calls[0].id) == ("the task", (call("run_it", {"n": 1}),), "second")
    assert (asked.own, again.own) == (model_turn(1), model_turn(2))
    assert results == Message("user", "", results=(ToolAnswer("id-of-run_it", "run_it", "result of {'n': 1}"),))
    assert last.results[0].id == "second"


def model_turn(number: int) -> OwnBlocks:
    return OwnBlocks("anthropic", ({"signed": number},))


async def test_each_call_is_in_the_record_before_it_has_an_effect_and_its_result_before_the_next_request() -> None:
    sink = KeptEvents()

    async def looks(_use: ToolUse, _arguments: dict[str, JsonValue]) -> ToolResult:
        assert isinstance(sink.events[-1], ToolStarted)
        return ToolResult("looked")

    model = WrittenModel([call("run_it")], "Done.")
    await run(model, few_tools({"run.it": looks}), sink=sink)

    kinds = [type(e).__name__ for e in sink.events[2:-1]]
    assert kinds == ["ModelChosen", "ToolsAsked", "ToolStarted", "ToolFinished", "ModelChosen", "AgentFinished"]


async def test_each_turn_of_the_model_counts_once() -> None:
    model = WrittenModel([call("run_it")], [call("run_it")], "Done.")

    result = state_of(await run(model, few_tools())).result()

    assert (result["a"].cost_usd, result["a"].usage.input_tokens, result.total.calls) == (0.75, 30, 3)
    assert result.by_billing[Billing.METERED].cost_usd == 0.75
    assert [used.outcome for used in result["a"].tools] == ["done", "done"]


async def test_calls_that_only_read_run_side_by_side_and_others_in_their_order() -> None:
    log: list[str] = []
    both = asyncio.Event()

    async def reads(_use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
        log.append(f"begin {arguments['n']}")
        if len(log) == 2:
            both.set()
        await both.wait()
        return ToolResult(f"read {arguments['n']}")

    async def writes(_use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
        log.append(f"begin {arguments['n']}")
        await asyncio.sleep(0)
        log.append(f"end {arguments['n']}")
        return ToolResult(f"written {arguments['n']}")

    order = [("files_read", 1), ("files_read", 2), ("run_it", 3), ("run_it", 4)]
    model = WrittenModel([call(name, {"n": n}, str(n)) for name, n in order], "Done.")
    await run(model, few_tools({"files.read": reads, "run.it": writes}, reads=["files.read"]))

    assert log == ["begin 1", "begin 2", "begin 3", "end 3", "begin 4", "end 4"]
    assert told(model) == [(text, False) for text in ("read 1", "read 2", "written 3", "written 4")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (call("run_itt"), "There is no tool `run_itt`. Did you mean `run_it`? There are: `run_it`."),
        (call("run_it", {"n": "x"}), "The tool was not called: its arguments do not satisfy its schema:"),
        (
            ToolCall("1", "run_it", None, "{n: 1"),
            "The tool was not called: its arguments are no JSON object: {n: 1",
        ),
    ],
)
async def test_a_call_that_can_not_be_made_is_told_to_the_model(wrong: ToolCall, said: str) -> None:
    tools = few_tools(parameters={"type": "object", "properties": {"n": {"type": "integer"}}})
    model = WrittenModel([wrong], "Sorry.")

    sink = await run(model, tools)

    assert (tools.called, sink.of(ToolStarted)) == ([], [])
    [(text, is_error)] = told(model)
    assert text.startswith(said)
    assert is_error
    assert [used.outcome for used in state_of(sink).result()["a"].tools] == ["refused"]


async def test_what_the_configuration_refuses_is_told_to_the_model() -> None:
    tools = few_tools(refuses={"run.it": "A person has said no."})
    model = WrittenModel([call("run_it")], "I see.")

    assert answer_of(await run(model, tools)) == "I see."
    assert (tools.called, told(model)) == ([], [("A person has said no.", True)])


async def test_a_tool_that_fails_is_a_result() -> None:
    async def raises(_use: ToolUse, _arguments: dict[str, JsonValue]) -> ToolResult:
        raise ToolServerError("the server has ended")

    model = WrittenModel([call("run_it")], "I see.")

    sink = await run(model, few_tools({"run.it": raises}))

    assert (answer_of(sink), told(model)) == ("I see.", [("the server has ended", True)])
    assert [e.tool.outcome for e in sink.events if isinstance(e, ToolFinished)] == ["failed"]


async def test_a_long_result_keeps_its_beginning_and_its_end() -> None:
    async def writes(_use: ToolUse, _arguments: dict[str, JsonValue]) -> ToolResult:
        return ToolResult("A" + "x" * 99_998 + "Z")

    model = WrittenModel([call("run_it")], "Done.")

    sink = await run(model, few_tools({"run.it": writes}))

    [(text, _)] = told(model)
    assert (text[0], text[-1], len(text) < 50_100) == ("A", "Z", True)
    assert "50,000 of 100,000 characters are left out" in text
    assert [e.tool.omitted for e in sink.events if isinstance(e, ToolFinished)] == [50_000]


async def test_the_last_turn_must_be_an_answer() -> None:
    tools = few_tools()
    model = WrittenModel([call("run_it")], [call("run_it")], "never")

    sink = await run(model, tools, AgentSpec("a", ModelWork(tools=("run.it",), max_turns=2)))

    [failed] = [e for e in sink.events if isinstance(e, AgentFailed)]
    assert failed.error.code == "turns_exhausted"
    assert "all of its 2 turns" in failed.error.message
    assert "`max_turns`" in (failed.error.hint or "")
    assert len(tools.called) == 1  # nobody would learn of the second result
    assert state_of(sink).result().total.cost_usd == 0.5  # what was asked is paid


async def test_an_answer_by_a_schema_may_use_tools_and_be_repaired() -> None:
    tools = few_tools()
    work = ModelWork(tools=("run.it",), schema={"type": "object", "required": ["n"]})
    model = WrittenModel([call("run_it")], "no", [call("run_it", id="2")], '{"n": 1}')

    sink = await run(model, tools, AgentSpec("a", work))

    assert answer_of(sink) == '{"n": 1}'
    assert [m.role for m in model.requests[-1].messages] == ["user", "assistant"] * 3 + ["user"]
    assert all(len(request.tools) == 1 and request.schema for request in model.requests)
    assert state_of(sink).result().total.calls == 4


async def test_a_fallback_goes_on_and_gets_no_signed_blocks_of_another_model() -> None:
    first = WrittenModel([call("run_it")], ProviderOverloaded("busy"), name="first")
    second = WrittenModel([call("run_it", id="2")], "Done.", name="second")

    sink = await run([first, second], few_tools())

    assert answer_of(sink) == "Done."
    assert [len(m.requests) for m in (first, second)] == [2, 2]  # the first one is not tried again
    assert [m.own for m in second.requests[0].messages] == [None] * 3
    assert [m.own for m in second.requests[1].messages] == [None, None, None, model_turn(1), None]
    assert second.requests[0].messages[1].calls == (call("run_it"),)


async def test_the_time_limit_is_that_of_the_whole_turn() -> None:
    ended: list[str] = []

    async def waits(_use: ToolUse, _arguments: dict[str, JsonValue]) -> ToolResult:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")
        return ToolResult("never")

    spec = AgentSpec("a", ModelWork(tools=("run.it",)), timeout_s=0.05)
    sink = await run(WrittenModel([call("run_it")]), few_tools({"run.it": waits}), spec)

    assert [e.error.code for e in sink.events if isinstance(e, AgentFailed)] == ["agent_timed_out"]
    assert ended == ["cleaned up"]


async def test_a_rehearsal_offers_no_tools() -> None:
    model = WrittenModel("canned")

    sink = await run(model, few_tools(), rehearsal=True)

    assert (answer_of(sink), model.requests[0].tools) == ("canned", ())


async def test_a_bug_in_a_tool_ends_its_agent_alone() -> None:
    async def broken(_use: ToolUse, _arguments: dict[str, JsonValue]) -> ToolResult:
        raise ZeroDivisionError

    sink = await run(WrittenModel([call("run_it")]), few_tools({"run.it": broken}))

    assert [e.error.code for e in sink.events if isinstance(e, AgentFailed)] == ["internal_error"]


def test_names_are_sent_as_providers_take_them_and_none_twice() -> None:
    long = f"mcp.server.{'t' * 80}"

    sent = sendable_names(["files.read", "mcp.a-b.c", "run.x.y", "run.x_y", long])

    assert (sent["files.read"], sent["mcp.a-b.c"]) == ("files_read", "mcp_a-b_c")
    assert len(set(sent.values())) == len(sent)
    assert all(len(name) <= LONGEST_TOOL_NAME for name in sent.values())
    assert sendable_names([long])[long] == sent[long]


@pytest.mark.parametrize(
    ("value", "needs"),
    [
        ("files.read", "a list of tools: `[files.read, web.fetch]`"),
        (["grep"], "a list of tools, and `grep` is none"),
        (["files."], "a list of tools, and `files.` is none"),
        ([1], "a list of names of tools"),
        (["run.x", "run.x"], "a list of tools, each named once; `run.x` is there twice"),
    ],
)
def test_names_that_mean_nothing_are_refused(value: JsonValue, needs: str) -> None:
    with pytest.raises(WrongValue) as wrong:
        MODEL_FIELDS["tools"].type(value)
    assert wrong.value.needs == needs


async def test_credentials_that_a_model_repeats_are_masked_in_what_it_asks_for() -> None:
    secret = "sk-live-3f9a8c7e6d5b4a39"
    remember(secret)
    tools = few_tools()
    model = WrittenModel([call("run_it", {"to": [f"x{secret}"]})], "Done.")

    sink = await run(model, tools)

    assert tools.called == [("run.it", {"to": ["x[credential]"]})]
    assert secret not in str(sink.events)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        {"type": "object", "properties": {"n": {"$ref": "https://schemas.example/n"}}},
        {"type": "nonsense"},
    ],
)
async def test_a_schema_that_nobody_can_check_by_leaves_the_check_to_its_tool(
    schema: dict[str, JsonValue],
) -> None:
    tools, model = few_tools(parameters=schema), WrittenModel([call("run_it", {"n": 1})], "Done.")

    sink = await run(model, tools)

    assert (answer_of(sink), tools.called) == ("Done.", [("run.it", {"n": 1})])
