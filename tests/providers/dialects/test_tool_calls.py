"""Tools in every dialect: what is offered, what a model calls, and how results go back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.errors import LlmOrcError, ReplyCut, ReplyUnreadable, RequestRejected
from llm_orc.net.bodies.sse import SseParser
from llm_orc.net.http import Http
from llm_orc.net.text import is_blank
from llm_orc.providers.base import Message, ModelRequest, Reply, Target
from llm_orc.providers.dialects.calls import with_ids
from llm_orc.providers.parts import OwnBlocks, ToolAnswer, ToolCall, ToolOffer
from tests.examples import many
from tests.fakes.loopback import Loopback, answer, stream
from tests.providers.conftest import Naps, Watcher
from tests.providers.dialects.test_whatever_comes import SUITES, places, with_change
from tests.providers.dialects.tool_calls import DIALECTS, TARGET, Called, read, read_stream, streamed, whole

every_dialect = pytest.mark.parametrize("dialect", list(DIALECTS))

WEATHER = ToolOffer("weather", "Say the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
PARIS = Called("weather", {"city": "Paris"}, "call_1")
NOTHING = Called("now", {}, "call_2")


def sent(dialect: str, request: ModelRequest, target: Target = TARGET) -> Any:
    return json.loads(DIALECTS[dialect].encode(request, target, stream=False).body)


def loop(reply: Reply, *results: ToolAnswer, **fields: Any) -> ModelRequest:
    """The request after a turn that called tools."""
    own = Message("assistant", reply.text, calls=reply.calls, own=reply.own)
    messages = (Message("user", "How is it?"), own, Message("user", "", results=results))
    return ModelRequest(messages, tools=(WEATHER,), **fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.text("abcdefgh_-0123456789", min_size=1, max_size=64)


@every_dialect
def test_any_split_of_a_stream_has_the_calls_of_the_whole_answer(dialect: str) -> None:
    @settings(max_examples=many(40), deadline=None)
    @given(
        text=st.sampled_from(["", "Let me \U0001f600 look."]),
        given_calls=st.lists(st.tuples(NAMES, st.dictionaries(st.text("xyz"), JSON, max_size=3)), min_size=1),
        cuts=st.lists(st.integers(0, 100_000), max_size=40),
    )
    def check(text: str, given_calls: list[tuple[str, dict[str, Any]]], cuts: list[int]) -> None:
        calls = [Called(name, value, f"call_{number}") for number, (name, value) in enumerate(given_calls)]
        reply = read(dialect, whole(dialect, text, calls))

        assert (reply.text, reply.calls) == (text, tuple(ToolCall(c.id, c.name, c.arguments) for c in calls))
        by_stream = read_stream(dialect, streamed(dialect, text, calls), cuts)
        assert (by_stream.text, by_stream.calls, by_stream.own) == (reply.text, reply.calls, reply.own)

    check()


@every_dialect
def test_a_turn_goes_back_as_its_provider_wrote_it_and_results_follow_it(dialect: str) -> None:
    body = whole(dialect, "I look.", [PARIS, NOTHING])
    results = ToolAnswer("call_1", "weather", "sunny"), ToolAnswer("call_2", "now", "no clock", is_error=True)

    back = sent(dialect, loop(read(dialect, body), *results))

    match dialect:
        case "anthropic":
            assert back["messages"][1] == {"role": "assistant", "content": body["content"]}
            fine, failed = back["messages"][2]["content"]
            assert fine == {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"}
            assert failed["is_error"] is True
        case "openai-chat":
            message = body["choices"][0]["message"]
            compact = [json.loads(call["function"].pop("arguments")) for call in message["tool_calls"]]
            returned = back["messages"][1]
            assert [json.loads(call["function"].pop("arguments")) for call in returned["tool_calls"]] == compact
            assert returned == message
            assert back["messages"][2] == {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
            assert back["messages"][3]["content"] == "Error: no clock"
        case "openai-responses":
            assert back["input"][1:-2] == body["output"]
            assert back["input"][-2] == {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
        case _:
            assert back["contents"][1] == body["candidates"][0]["content"]
            response = {"id": "call_1", "name": "weather", "response": {"output": "sunny"}}
            failed = {"id": "call_2", "name": "now", "response": {"error": "no clock"}}
            assert back["contents"][2]["parts"] == [{"functionResponse": response}, {"functionResponse": failed}]


@every_dialect
def test_another_model_gets_text_and_calls_but_nothing_that_it_could_not_read(dialect: str) -> None:
    reply = read(dialect, whole(dialect, "I look.", [replace(PARIS, id="functions.weather:0")]))
    request = loop(reply, ToolAnswer("functions.weather:0", "weather", "sunny"))

    for other in DIALECTS:
        body = json.dumps(sent(other, request, Target("q", "gemini-3-x")))

        assert "I look." in body
        assert "Paris" in body
        assert not any(secret in body for secret in ("c2ln", "ZGF0YQ", "Z0FB", "hm", "functions.weather"))
        assert ("skip_thought_signature_validator" in body) is (other == "gemini")


@every_dialect
def test_offers_tools_with_their_schemas_as_they_are(dialect: str) -> None:
    number = {"type": "integer", "minimum": 1}
    schema: dict[str, Any] = {"type": "object", "properties": {"n": number}, "required": ["n"]}
    request = ModelRequest((Message("user", "Go"),), tools=(ToolOffer("dice", "Roll.", schema),))

    body = sent(dialect, request)

    (tool,) = body["tools"]
    match dialect:
        case "anthropic":
            assert tool == {"name": "dice", "description": "Roll.", "input_schema": schema}
        case "openai-chat":
            offered = {"name": "dice", "description": "Roll.", "parameters": schema}
            assert tool == {"type": "function", "function": offered}
        case "openai-responses":
            offered = {"name": "dice", "description": "Roll.", "parameters": schema}
            assert tool == {"type": "function", "strict": False, **offered}
        case _:
            offered = {"name": "dice", "description": "Roll.", "parametersJsonSchema": schema}
            assert tool == {"functionDeclarations": [offered]}


@every_dialect
@pytest.mark.parametrize(
    ("written", "value"),
    [('{"city": ', None), ("[1]", None), ('"x"', None), ("{}", {}), ("", {}), (' {"a": 1} ', {"a": 1})],
)
def test_arguments_that_are_no_object_are_kept_as_they_were_written(
    dialect: str, written: str, value: dict[str, Any] | None
) -> None:
    body = whole(dialect, "", [PARIS])
    match dialect:
        case "openai-chat":
            body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = written
        case "openai-responses":
            body["output"][-1]["arguments"] = written
        case "anthropic":
            body["content"][-1]["input"] = written
        case _:
            body["candidates"][0]["content"]["parts"][-1]["functionCall"]["args"] = written

    reply = read(dialect, body)

    (call,) = reply.calls
    assert (call.arguments, call.written) == (value, "" if value is not None else written)
    if value is None:
        back = json.dumps(sent(dialect, loop(reply, ToolAnswer("call_1", "weather", "no object", is_error=True))))
        assert dialect == "gemini" or "INVALID_JSON" in back


@pytest.mark.parametrize("finish", ["stop", "tool_calls", None, "eos"])
def test_calls_count_whatever_a_compatible_server_calls_the_end(finish: str | None) -> None:
    body = whole("openai-chat", "", [PARIS])
    body["choices"][0]["finish_reason"] = finish

    assert [call.name for call in read("openai-chat", body).calls] == ["weather"]


def test_servers_may_give_objects_no_ids_and_no_index() -> None:
    def fragment(**fields: Any) -> bytes:
        chunk = {"choices": [{"delta": {"tool_calls": [fields]}}]}
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    one = fragment(function={"name": "a", "arguments": {"x": 1}})
    two = fragment(index=0, function={"name": "b", "arguments": "{}"})
    three = fragment(index=0, function={"name": "b", "arguments": '{"y"'})
    rest = fragment(index=0, function={"arguments": ": 2}"})

    reply = read_stream("openai-chat", one + two + three + rest + b"data: [DONE]\n\n")

    assert [(c.name, c.arguments) for c in reply.calls] == [("a", {"x": 1}), ("b", {}), ("b", {"y": 2})]
    request = ModelRequest((Message("user", "Go"),))
    ids = [call.id for call in with_ids(reply, request).calls]
    assert ids == [call.id for call in with_ids(reply, request).calls]
    assert len({*ids, ""}) == 4
    later = ModelRequest((*request.messages, Message("assistant", "", calls=with_ids(reply, request).calls)))
    assert not {*ids} & {call.id for call in with_ids(reply, later).calls}


def test_signatures_and_reasoning_of_gateways_go_back_too() -> None:
    body = whole("openai-chat", "", [PARIS])
    message = body["choices"][0]["message"]
    signature = {"google": {"thought_signature": "c2ln"}}
    message["tool_calls"][0]["extra_content"] = signature
    message["reasoning_details"] = [{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}]

    back = sent("openai-chat", loop(read("openai-chat", body), ToolAnswer("call_1", "weather", "sunny")))

    assert back["messages"][1]["tool_calls"][0]["extra_content"] == signature
    assert back["messages"][1]["reasoning_details"] == message["reasoning_details"]


def test_fragments_of_reasoning_details_are_joined() -> None:
    def chunk(delta: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n\n"

    detail = {"type": "reasoning.text", "index": 0}
    data = chunk({"reasoning": "a", "reasoning_details": [{**detail, "text": "a"}]})
    data += chunk({"reasoning": "b", "reasoning_details": [{**detail, "text": "b", "signature": "s"}]})
    data += chunk({"tool_calls": [{"index": 0, "id": "i", "function": {"name": "a", "arguments": "{}"}}]})

    reply = read_stream("openai-chat", data + b"data: [DONE]\n\n")

    assert reply.own is not None
    assert reply.own.blocks == ({"reasoning_details": [{**detail, "text": "ab", "signature": "s"}]},)


def test_items_of_a_stream_count_if_its_end_does_not_repeat_them() -> None:
    data = streamed("openai-responses", "", [PARIS, NOTHING])
    before, end = data.split(b"event: response.completed\n")
    body = json.loads(end.removeprefix(b"data: "))
    body["response"]["output"] = []
    short = before + b"data: " + json.dumps(body).encode() + b"\n\n"

    assert read_stream("openai-responses", short) == read_stream("openai-responses", data)


def test_reasoning_that_nobody_can_send_back_is_left_out() -> None:
    body = whole("openai-responses", "", [PARIS])
    del body["output"][0]["encrypted_content"]

    back = sent("openai-responses", loop(read("openai-responses", body), ToolAnswer("call_1", "weather", "sunny")))

    assert [item.get("type") for item in back["input"]] == [None, "function_call", "function_call_output"]
    assert "id" not in back["input"][1]


@pytest.mark.parametrize(
    ("provider", "model", "asks"), [("openai", "gpt-6", True), ("openai", "gpt-4o", False), ("xai", "grok", False)]
)
def test_asks_for_reasoning_only_where_it_can_come(provider: str, model: str, *, asks: bool) -> None:
    request = ModelRequest((Message("user", "Go"),), tools=(WEATHER,))

    assert ("include" in sent("openai-responses", request, Target(provider, model))) is asks
    assert "include" not in sent("openai-responses", replace(request, tools=()), Target(provider, model))


@every_dialect
def test_a_call_that_the_limit_cut_off_is_not_made(dialect: str) -> None:
    body = json.dumps(whole(dialect, "", [PARIS]))
    ends = {
        "anthropic": ('"tool_use", "usage"', '"max_tokens", "usage"'),
        "openai-chat": ('"finish_reason": "tool_calls"', '"finish_reason": "length"'),
        "openai-responses": ('"status": "completed", "output"', '"status": "incomplete", "output"'),
        "gemini": ('"STOP"', '"MAX_TOKENS"'),
    }
    cut = json.loads(body.replace(*ends[dialect]))
    cut |= {"incomplete_details": {"reason": "max_output_tokens"}} if dialect == "openai-responses" else {}

    with pytest.raises(ReplyCut) as caught:
        read(dialect, cut)

    assert "Raise `max_tokens`" in (caught.value.hint or "")
    assert caught.value.would_again


@every_dialect
async def test_a_call_that_nobody_offered_is_an_error_that_says_so(
    dialect: str, server: Loopback, http: Http, naps: Naps
) -> None:
    suite = next(suite for suite in SUITES.values() if suite.dialect.name == dialect)
    server.answers(answer(whole(dialect, "", [PARIS])), stream(streamed(dialect, "", [PARIS])))
    model = suite.model(server, http, naps, stream=True)
    request = ModelRequest((Message("user", "Go"),))

    for observer in (None, Watcher()):
        with pytest.raises(ReplyUnreadable, match="none was offered") as caught:
            await model.reply(request, observer)
        assert "Remove tools from `options`" in (caught.value.hint or "")
        assert caught.value.may_be_billed
    assert len(server.heard) == 2


@every_dialect
async def test_a_stray_call_beside_an_answer_is_no_reason_to_lose_it(
    dialect: str, server: Loopback, http: Http, naps: Naps
) -> None:
    if dialect == "anthropic":
        return  # its end says that it waits for results
    suite = next(suite for suite in SUITES.values() if suite.dialect.name == dialect)
    body = json.dumps(whole(dialect, "It is sunny.", [PARIS])).replace('"tool_calls"}', '"stop"}')
    server.answers(answer(body.encode()))

    reply = await suite.model(server, http, naps).reply(ModelRequest((Message("user", "Go"),)))

    assert (reply.text, reply.calls, reply.own) == ("It is sunny.", (), None)


@every_dialect
def test_tools_of_options_and_of_the_agent_exclude_each_other(dialect: str) -> None:
    request = ModelRequest((Message("user", "Go"),), tools=(WEATHER,), options={"tools": []})

    with pytest.raises(RequestRejected, match=r"`options.tools`.*beside the agent's own tools"):
        sent(dialect, request)


def test_an_anthropic_loop_marks_what_its_next_turn_reads_from_the_cache() -> None:
    reply = read("anthropic", whole("anthropic", "", [PARIS]))
    first = sent("anthropic", ModelRequest((Message("user", "How is it?"),), tools=(WEATHER,)))
    second = sent("anthropic", loop(reply, ToolAnswer("call_1", "weather", "")))

    assert first["messages"][0]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert first["messages"][0] == second["messages"][0]
    result = {"type": "tool_result", "tool_use_id": "call_1", "cache_control": {"type": "ephemeral"}}
    assert second["messages"][2]["content"] == [result]


def test_a_shared_beginning_is_not_looked_for_in_results() -> None:
    reply = read("anthropic", whole("anthropic", "", [PARIS]))
    request = loop(reply, ToolAnswer("call_1", "weather", "sunny"), shared=5)

    assert [block["type"] for block in sent("anthropic", request)["messages"][2]["content"]] == ["tool_result"]


def test_text_that_nobody_sees_does_not_go_back_to_anthropic() -> None:
    reply = read("anthropic", whole("anthropic", "\n\n", [PARIS]))

    back = sent("anthropic", loop(reply, ToolAnswer("call_1", "weather", "sunny")))

    assert reply.text == ""
    assert "text" not in [block["type"] for block in back["messages"][1]["content"]]


@pytest.mark.parametrize(("model", "in_words"), [("gemini-2.5-pro", True), ("gemini-3-flash", False)])
def test_gemini_takes_a_schema_beside_tools_only_from_version_3(model: str, *, in_words: bool) -> None:
    request = ModelRequest((Message("user", "Go"),), tools=(WEATHER,), schema={"type": "object"})
    json_only = replace(request, schema=None, json_output=True)

    for asked in (request, json_only):
        body = sent("gemini", asked, Target("p", model))
        assert ("generationConfig" not in body) is in_words
        assert ("JSON" in json.dumps(body.get("systemInstruction"))) is in_words


def test_blocks_that_do_not_fit_the_calls_are_not_sent() -> None:
    own = OwnBlocks("anthropic", ({"type": "tool_use", "id": "other", "name": "x", "input": {}},))
    turn = Message("assistant", "", calls=(ToolCall("call_1", "weather", {"city": "Paris"}),), own=own)
    request = ModelRequest((Message("user", "Go"), turn), tools=(WEATHER,))

    (block,) = sent("anthropic", request)["messages"][1]["content"]

    assert (block["id"], block["input"]) == ("call_1", {"city": "Paris"})


@every_dialect
def test_whatever_a_turn_with_calls_holds_it_can_be_answered_or_is_a_typed_error(dialect: str) -> None:
    body = whole(dialect, "I look.", [PARIS, NOTHING])
    events = [json.loads(e) for e in SseParser().feed(streamed(dialect, "I look.", [PARIS, NOTHING])) if b"{" in e]

    def ends(ask: Callable[[], Reply]) -> None:
        try:
            reply = with_ids(ask(), ModelRequest(()))
        except LlmOrcError as e:
            assert e.message.isprintable()  # noqa: PT017 - either end is right
            return
        assert reply.calls or not is_blank(reply.text)
        results = tuple(ToolAnswer(call.id, call.name, "seen") for call in reply.calls)
        for other in DIALECTS:
            sent(other, loop(reply, *results))

    @settings(max_examples=many(60), deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        changed = body
        for _ in range(data.draw(st.integers(1, 2))):
            changed = with_change(changed, data.draw(st.sampled_from(places(changed))), data.draw(ODD))
        ends(lambda: read(dialect, changed))
        at = data.draw(st.integers(0, len(events) - 1))
        one = with_change(events[at], data.draw(st.sampled_from(places(events[at]))), data.draw(ODD))
        lines = [f"data: {json.dumps(e)}\n\n".encode() for e in (*events[:at], one, *events[at + 1 :])]
        ends(lambda: read_stream(dialect, b"".join(lines)))

    check()


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
