"""The official SDKs as judges of tools and files: what they read in answers, and what they would send next."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import TypeAdapter

from llm_orc.net.http import Http
from llm_orc.providers.base import Message, ModelRequest, Reply
from llm_orc.providers.parts import Attachment, ToolAnswer, ToolOffer
from tests.fakes import sdks
from tests.fakes.loopback import Loopback, answer, stream
from tests.providers.conftest import Naps, Watcher
from tests.providers.dialects.test_tool_calls import sent
from tests.providers.dialects.test_whatever_comes import SUITES
from tests.providers.dialects.tool_calls import DIALECTS, Called, streamed, whole

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the SDKs take seconds to load

KEY = "sk-test"
PROMPT = "How is it?"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = ToolOffer("weather", "Say the weather.", SCHEMA)
CALLS = [Called("weather", {"city": "Köln \U0001f600", "days": [1, None]}, "call_1"), Called("now", {}, "call_2")]
RESULTS = {"call_1": "sunny", "call_2": "noon"}

Conversation = Callable[[str, bool], Awaitable[list[tuple[str, str, dict[str, Any]]]]]
"""Asks with the SDK, gives results for all calls, asks again; returns the calls that it saw."""


async def with_anthropic(url: str, streams: bool) -> list[tuple[str, str, dict[str, Any]]]:
    tools = [{"name": TOOL.name, "description": TOOL.description, "input_schema": SCHEMA}]
    messages: list[Any] = [{"role": "user", "content": PROMPT}]
    call: dict[str, Any] = {"model": "m-0", "max_tokens": 8192, "tools": tools}
    async with sdks.anthropic.AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0) as client:
        if streams:
            async with client.messages.stream(messages=messages, **call) as events:
                message = await events.get_final_message()
        else:
            message = await client.messages.create(messages=messages, **call)
        found = [(b.id, b.name, b.input) for b in message.content if b.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": i, "content": RESULTS[i]} for i, _, _ in found]
        content = [block.to_dict() for block in message.content]
        messages += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
        await client.messages.create(messages=messages, **call)
    return found


async def with_chat(url: str, streams: bool) -> list[tuple[str, str, dict[str, Any]]]:
    function = {"name": TOOL.name, "description": TOOL.description, "parameters": SCHEMA}
    call: dict[str, Any] = {"model": "m-0", "tools": [{"type": "function", "function": function}]}
    messages: list[Any] = [{"role": "user", "content": PROMPT}]
    async with sdks.openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        if streams:
            async with client.chat.completions.stream(messages=messages, **call) as events:
                message = (await events.get_final_completion()).choices[0].message
        else:
            message = (await client.chat.completions.create(messages=messages, **call)).choices[0].message
        found = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []]
        messages.append(message.to_dict())
        messages += [{"role": "tool", "tool_call_id": i, "content": RESULTS[i]} for i, _, _ in found]
        await client.chat.completions.create(messages=messages, **call)
    return found


async def with_responses(url: str, streams: bool) -> list[tuple[str, str, dict[str, Any]]]:
    tool = {"type": "function", "strict": False, "name": TOOL.name, "description": TOOL.description}
    include: Any = ["reasoning.encrypted_content"]
    call: dict[str, Any] = {"model": "m-0", "store": False, "include": include}
    call["tools"] = [{**tool, "parameters": SCHEMA}]
    given: list[Any] = [{"role": "user", "content": PROMPT}]
    async with sdks.openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        if streams:
            async with client.responses.stream(input=given, **call) as events:
                response = await events.get_final_response()
        else:
            response = await client.responses.create(input=given, **call)
        found = [
            (i.call_id, i.name, json.loads(i.arguments)) for i in response.output if i.type == "function_call"
        ]
        given += [item.to_dict() for item in response.output]
        given += [{"type": "function_call_output", "call_id": i, "output": RESULTS[i]} for i, _, _ in found]
        await client.responses.create(input=given, **call)
    return found


async def with_gemini(url: str, streams: bool) -> list[tuple[str, str, dict[str, Any]]]:
    types = sdks.genai_types
    declaration = types.FunctionDeclaration(
        name=TOOL.name, description=TOOL.description, parameters_json_schema=SCHEMA
    )
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declaration])])
    contents: list[Any] = [types.Content(role="user", parts=[types.Part(text=PROMPT)])]
    options = types.HttpOptions(base_url=url, api_version="v1beta")
    client = sdks.genai.Client(api_key=KEY, http_options=options)
    models = client.aio.models
    try:
        if streams:
            parts: list[Any] = []
            chunks = await models.generate_content_stream(model="m-0", contents=contents, config=config)
            async for chunk in chunks:
                parts += (chunk.candidates[0].content.parts or []) if chunk.candidates else []  # type: ignore[union-attr]
            content = types.Content(role="model", parts=parts)
        else:
            reply = await models.generate_content(model="m-0", contents=contents, config=config)
            content = reply.candidates[0].content  # type: ignore[index,assignment]
        calls = [part.function_call for part in content.parts or [] if part.function_call]
        found = [(call.id or "", call.name or "", call.args or {}) for call in calls]
        responses = [
            types.Part(function_response=types.FunctionResponse(id=i, name=name, response={"output": RESULTS[i]}))
            for i, name, _ in found
        ]
        contents += [content, types.Content(role="user", parts=responses)]
        await models.generate_content(model="m-0", contents=contents, config=config)
    finally:
        await client.aio.aclose()
        client.close()
    return found


@dataclass(frozen=True)
class Judge:
    """`turns` is the field of a request that has the conversation."""

    converse: Conversation
    turns: str


JUDGES = {
    "anthropic": Judge(with_anthropic, "messages"),
    "openai-chat": Judge(with_chat, "messages"),
    "openai-responses": Judge(with_responses, "input"),
    "gemini": Judge(with_gemini, "contents"),
}


def plain(value: Any) -> Any:
    """Return a request without what says nothing, in which arguments are objects; text in pieces is one."""
    if isinstance(value, dict):
        kept = {
            _SPELLED.get(key, key): plain(inner)
            for key, inner in value.items()
            if inner not in (None, [], "") and key not in _OURS
        }
        if isinstance(kept.get("arguments"), str):
            kept["arguments"] = json.loads(kept["arguments"])
        only_text = kept.keys() == {"role", "content"} and isinstance(kept["content"], list)
        if only_text and [block.keys() for block in kept["content"]] == [{"type", "text"}]:
            kept["content"] = kept["content"][0]["text"]
        return kept
    if isinstance(value, list):
        joined: list[Any] = []
        for item in map(plain, value):
            both = [joined[-1], item] if joined else []
            if both and all(isinstance(one, dict) and one.keys() == {"text"} for one in both):
                joined[-1] = {"text": joined[-1]["text"] + item["text"]}
            elif item != {"text": ""}:
                joined.append(item)
        return joined
    return value


# Our marks for the cache; what the SDK adds to a parsed answer.
_SPELLED = {"parameters_json_schema": "parametersJsonSchema"}  # Google takes both
_OURS = {
    "cache_control",
    "stream",
    "stream_options",
    "parsed",
    "parsed_arguments",
    "logprobs",
    "annotations",
    "index",
}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("text", ["", "I look."])
@pytest.mark.parametrize("dialect", list(JUDGES))
async def test_a_conversation_with_tools_is_the_official_one(
    server: Loopback, http: Http, naps: Naps, dialect: str, text: str, *, streams: bool
) -> None:
    judge = JUDGES[dialect]
    suite = next(suite for suite in SUITES.values() if suite.dialect.name == dialect)
    first = stream(streamed(dialect, text, CALLS)) if streams else answer(whole(dialect, text, CALLS))
    last = answer(suite.whole("It is sunny.", "end_turn"))
    server.answers(first, last, first, last)

    seen = await judge.converse(server.url, streams)
    provider = {"openai-responses": "openai"}.get(dialect, suite.provider)
    reply = await _ask_ours(suite, provider, server, http, naps, streams=streams)

    assert [(call.id, call.name, call.arguments) for call in reply.calls] == seen
    theirs, ours = server.heard[1].json, server.heard[3].json
    assert plain(ours[judge.turns]) == plain(theirs[judge.turns])
    assert plain(ours["tools"]) == plain(theirs["tools"])


async def _ask_ours(
    suite: Any, provider: str, server: Loopback, http: Http, naps: Naps, *, streams: bool
) -> Reply:
    suite = type(suite)()
    suite.provider = provider
    prompt = Message("user", PROMPT)
    model = suite.model(server, http, naps, stream=streams)
    reply: Reply = await model.reply(ModelRequest((prompt,), tools=(TOOL,)), Watcher())
    results = tuple(ToolAnswer(call.id, call.name, RESULTS[call.id]) for call in reply.calls)
    turn = Message("assistant", reply.text, calls=reply.calls, own=reply.own)
    after = ModelRequest((prompt, turn, Message("user", "", results=results)), tools=(TOOL,))
    whole_model = suite.model(server, http, naps)
    await whole_model.reply(after)
    return reply


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_the_sdk_s_own_types_take_our_requests(dialect: str) -> None:
    files = (
        Attachment("a.png", "image/png", b"\x89PNG"),
        Attachment("b.pdf", "application/pdf", b"%PDF"),
        Attachment("c.txt", "text/plain", b"text"),
    )
    body = sent(dialect, ModelRequest((Message("user", "Look.", attachments=files),), tools=(TOOL,)))
    match dialect:
        case "anthropic":
            params = sdks.anthropic.types.message_create_params.MessageCreateParamsNonStreaming
            TypeAdapter(params).validate_python(body, strict=True)
        case "openai-chat":
            chat = sdks.openai.types.chat.completion_create_params.CompletionCreateParamsNonStreaming
            TypeAdapter(chat).validate_python(body)
        case "openai-responses":
            response = sdks.openai.types.responses.response_create_params.ResponseCreateParamsNonStreaming
            TypeAdapter(response).validate_python(body)
        case _:
            for content in body["contents"]:
                sdks.genai_types.Content.model_validate(content)
            for tool in body["tools"]:
                sdks.genai_types.Tool.model_validate(tool)
