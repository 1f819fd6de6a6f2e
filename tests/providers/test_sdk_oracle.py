"""The official SDKs as judges: for the same call, our request must be the one that they send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.catalog.dialects import DIALECTS
from llm_orc.net.http import Http
from llm_orc.providers.base import Message, ModelRequest, Reply
from llm_orc.providers.build import build_model
from llm_orc.providers.endpoint import endpoint_of
from llm_orc.providers.lookup import find_provider
from llm_orc.settings.model import ProviderSettings
from tests.fakes import sdks
from tests.fakes.loopback import Heard, Loopback, answer, stream
from tests.providers.conftest import Watcher
from tests.providers.dialects import test_anthropic, test_gemini, test_openai_chat, test_openai_responses
from tests.providers.dialects.suite import TEXTS, DialectSuite

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the SDKs take seconds to load

KEY = "sk-test"
MODEL = "claude-sonnet-5-5"  # any name: no SDK checks it, and Anthropic's must not call it outdated

CALLS = {
    "plain": ModelRequest((Message("user", "Hello"),)),
    "all": ModelRequest(
        (Message("user", 'Grüß dich \U0001f600\n"x"'), Message("assistant", "Hm."), Message("user", "Well?")),
        system_prompt="You are terse.",
        temperature=0.3,
        max_tokens=77,
    ),
    "json": ModelRequest((Message("user", "As JSON, please"),), max_tokens=5, json_output=True),
    "options": ModelRequest((Message("user", "Hello"),), max_tokens=5, options={"top_p": 0.5}),
}


@dataclass(frozen=True)
class Judge:
    """`ask` sends the call with the SDK and returns the answer's text."""

    suite: DialectSuite
    provider: str
    ask: Callable[[str, ModelRequest, bool], Awaitable[str]]
    headers: tuple[str, ...]  # that must be the same
    settings: ProviderSettings | None = None


def turns(request: ModelRequest) -> list[Any]:
    return [{"role": m.role, "content": m.content} for m in request.messages]


def given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


async def ask_anthropic(url: str, request: ModelRequest, streamed: bool) -> str:
    system = request.system_prompt
    if request.json_output:
        system = (
            "Answer with one valid JSON document and nothing else: no prose before or after it, no code fence."
        )
    call = given(
        model=MODEL,
        max_tokens=request.max_tokens or 16384,
        messages=turns(request),
        system=system,
    )
    sampling = {**given(temperature=request.temperature), **request.options}
    if sampling:  # the SDK's way since the API's version 2026-10-21 dropped these parameters
        call |= {"extra_body": sampling, "extra_headers": {"anthropic-version": "2023-06-01"}}
    async with sdks.anthropic.AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0) as client:
        if not streamed:
            return "".join(b.text for b in (await client.messages.create(**call)).content if b.type == "text")
        async with client.messages.stream(**call) as events:
            return "".join([text async for text in events.text_stream])


async def ask_chat(url: str, request: ModelRequest, streamed: bool) -> str:
    system = [{"role": "system", "content": request.system_prompt}] if request.system_prompt else []
    call = given(
        model=MODEL,
        messages=[*system, *turns(request)],
        max_completion_tokens=request.max_tokens,
        temperature=request.temperature,
        response_format={"type": "json_object"} if request.json_output else None,
        extra_body=request.options or None,
    )
    async with sdks.openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        if not streamed:
            return (await client.chat.completions.create(**call)).choices[0].message.content or ""
        chunks = await client.chat.completions.create(**call, stream=True, stream_options={"include_usage": True})
        return "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])


async def ask_responses(url: str, request: ModelRequest, streamed: bool) -> str:
    call = given(
        model=MODEL,
        input=turns(request),
        store=False,
        instructions=request.system_prompt,
        max_output_tokens=request.max_tokens,
        temperature=request.temperature,
        text={"format": {"type": "json_object"}} if request.json_output else None,
        extra_body=request.options or None,
    )
    async with sdks.openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        if not streamed:
            text: str = (await client.responses.create(**call)).output_text
            return text
        events = await client.responses.create(**call, stream=True)
        return "".join([e.delta async for e in events if e.type == "response.output_text.delta"])


async def ask_gemini(url: str, request: ModelRequest, streamed: bool) -> str:
    fields = given(
        system_instruction=request.system_prompt,
        temperature=request.temperature,
        max_output_tokens=request.max_tokens,
        response_mime_type="application/json" if request.json_output else None,
        http_options=sdks.genai_types.HttpOptions(extra_body=dict(request.options)) if request.options else None,
    )
    config = sdks.genai_types.GenerateContentConfig(**fields) if fields else None
    contents: list[Any] = [
        sdks.genai_types.Content(
            role="model" if m.role == "assistant" else "user", parts=[sdks.genai_types.Part(text=m.content)]
        )
        for m in request.messages
    ]
    client = sdks.genai.Client(
        api_key=KEY, http_options=sdks.genai_types.HttpOptions(base_url=url, api_version="v1beta")
    )
    try:
        if not streamed:
            return (
                await client.aio.models.generate_content(model=MODEL, contents=contents, config=config)
            ).text or ""
        chunks = await client.aio.models.generate_content_stream(model=MODEL, contents=contents, config=config)
        return "".join([chunk.text or "" async for chunk in chunks])
    finally:
        await client.aio.aclose()
        client.close()


JUDGES = {
    "anthropic": Judge(
        test_anthropic.TestAnthropic(),
        "anthropic-api",
        ask_anthropic,
        # The SDK sends the key as a bearer token, the API's reference as `x-api-key`: both are accepted.
        ("anthropic-version", "content-type", "accept"),
    ),
    "openai-chat": Judge(
        test_openai_chat.TestOpenAIChat(),
        "openai",
        ask_chat,
        ("authorization", "content-type", "accept"),
        ProviderSettings("openai", dialect="openai-chat"),
    ),
    "openai-responses": Judge(
        test_openai_responses.TestOpenAIResponses(),
        "openai",
        ask_responses,
        ("authorization", "content-type", "accept"),
    ),
    "gemini": Judge(test_gemini.TestGemini(), "google-gemini", ask_gemini, ("x-goog-api-key", "content-type")),
}


async def ask_ours(judge: Judge, url: str, request: ModelRequest, streamed: bool, http: Http) -> Reply:
    settings = {} if judge.settings is None else {judge.provider: judge.settings}
    spec = find_provider(judge.provider, settings)
    endpoint = endpoint_of(spec, settings, url)
    dialect = DIALECTS[spec.dialect]
    key = ApiKeyHeader(endpoint.origin, dialect.key_header, Secret(KEY), dialect.key_scheme)
    return await build_model(endpoint, MODEL, key, http, stream=streamed).reply(request, Watcher())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("call", list(CALLS))
@pytest.mark.parametrize("dialect", list(JUDGES))
async def test_our_request_is_the_official_one(
    server: Loopback, http: Http, dialect: str, call: str, streamed: bool
) -> None:
    judge, request = JUDGES[dialect], CALLS[call]
    script = (
        stream(*judge.suite.events(TEXTS, "end_turn"))
        if streamed
        else answer(judge.suite.whole("".join(TEXTS), "end_turn"))
    )
    server.answers(script)

    theirs_said = await judge.ask(server.url, request, streamed)
    ours_said = await ask_ours(judge, server.url, request, streamed, http)

    theirs, ours = server.heard
    assert ours_said.text == theirs_said
    assert (ours.method, ours.target) == (theirs.method, theirs.target)
    assert ours.json == theirs.json
    assert kept(ours, judge.headers) == kept(theirs, judge.headers)


def kept(heard: Heard, names: tuple[str, ...]) -> dict[str, str]:
    return {name: heard.headers[name] for name in names}
