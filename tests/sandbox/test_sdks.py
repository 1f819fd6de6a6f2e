"""The official SDKs take what the sandbox sends, and see in its faults what they see in the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.sandbox.canned import LABEL
from llm_orc.sandbox.faults import Cut, Effect, ErrorEvent, Fault, Refusal, Status
from llm_orc.sandbox.server import Sandbox
from tests.fakes import sdks
from tests.sandbox.calls import PROMPT, SYSTEM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import anthropic
    import openai
    from google import genai

# google-genai builds on a class that aiohttp would rather not see inherited.
pytestmark = [
    pytest.mark.slow,  # the SDKs take seconds to load
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


def _anthropic(sandbox: Sandbox) -> anthropic.AsyncAnthropic:
    return sdks.anthropic.AsyncAnthropic(base_url=sandbox.base_url("anthropic"), api_key="none", max_retries=0)


def _openai(sandbox: Sandbox) -> openai.AsyncOpenAI:
    return sdks.openai.AsyncOpenAI(base_url=sandbox.base_url("openai-chat"), api_key="none", max_retries=0)


def _gemini(sandbox: Sandbox) -> genai.Client:
    options = sdks.genai_types.HttpOptions(base_url=sandbox.base_url("gemini"))
    return sdks.genai.Client(api_key="none", http_options=options)


async def _ask_anthropic(sandbox: Sandbox) -> str:
    async with (
        _anthropic(sandbox) as client,
        client.messages.stream(
            model="canned", max_tokens=200, system=SYSTEM, messages=[{"role": "user", "content": PROMPT}]
        ) as stream,
    ):
        return await stream.get_final_text()


async def _ask_openai_chat(sandbox: Sandbox) -> str:
    async with _openai(sandbox) as client:
        stream = await client.chat.completions.create(
            model="canned", messages=[{"role": "user", "content": PROMPT}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def _ask_openai_responses(sandbox: Sandbox) -> str:
    async with _openai(sandbox) as client, client.responses.stream(model="canned", input=PROMPT) as stream:
        return (await stream.get_final_response()).output_text


async def _ask_gemini(sandbox: Sandbox) -> str:
    async with _gemini(sandbox).aio as client:
        stream = await client.models.generate_content_stream(model="canned", contents=PROMPT)
        return "".join([chunk.text or "" async for chunk in stream])


STREAMED = {
    "anthropic": _ask_anthropic,
    "openai-chat": _ask_openai_chat,
    "openai-responses": _ask_openai_responses,
    "gemini": _ask_gemini,
}


async def test_anthropics_sdk_takes_a_whole_answer(sandbox: Sandbox) -> None:
    async with _anthropic(sandbox) as client:
        message = await client.messages.create(
            model="canned", max_tokens=200, system=SYSTEM, messages=[{"role": "user", "content": PROMPT}]
        )

    assert isinstance(message.content[0], sdks.anthropic.types.TextBlock)
    assert message.content[0].text.startswith(LABEL)
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 1
    assert message._request_id == "req_sandbox000000000001"


async def test_openais_sdk_takes_a_whole_chat_completion(sandbox: Sandbox) -> None:
    async with _openai(sandbox) as client:
        completion = await client.chat.completions.create(
            model="canned", messages=[{"role": "user", "content": PROMPT}]
        )

    assert (completion.choices[0].message.content or "").startswith(LABEL)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == len(PROMPT.split())


async def test_openais_sdk_takes_a_whole_response(sandbox: Sandbox) -> None:
    async with _openai(sandbox) as client:
        response = await client.responses.create(model="canned", input=PROMPT, instructions=SYSTEM)

    assert response.status == "completed"
    assert response.output_text.startswith(LABEL)
    assert SYSTEM in response.output_text


async def test_googles_sdk_takes_a_whole_answer(sandbox: Sandbox) -> None:
    async with _gemini(sandbox).aio as client:
        config = sdks.genai_types.GenerateContentConfig(system_instruction=SYSTEM)
        response = await client.models.generate_content(model="canned", contents=PROMPT, config=config)

    assert (response.text or "").startswith(LABEL)
    assert SYSTEM in (response.text or "")
    assert response.candidates is not None
    assert response.candidates[0].finish_reason == sdks.genai_types.FinishReason.STOP


@pytest.mark.parametrize("dialect", STREAMED)
async def test_every_sdk_takes_a_stream(sandbox: Sandbox, dialect: str) -> None:
    text = await STREAMED[dialect](sandbox)

    assert text.startswith(LABEL)
    assert PROMPT in text
    assert sandbox.requests[0].dialect == dialect
    assert sandbox.requests[0].stream


async def test_openais_sdk_sees_a_refusal() -> None:
    async with Sandbox(faults=[Fault(Refusal())]) as sandbox, _openai(sandbox) as client:
        completion = await client.chat.completions.create(
            model="canned", messages=[{"role": "user", "content": PROMPT}]
        )

    assert (completion.choices[0].message.refusal or "").startswith(LABEL)


@pytest.mark.parametrize(
    ("dialect", "effect", "error"),
    [
        ("anthropic", Status(401), "AuthenticationError"),
        ("anthropic", Status(404), "NotFoundError"),
        ("anthropic", Status(413), "RequestTooLargeError"),
        ("anthropic", Status(429), "RateLimitError"),
        ("anthropic", Status(529), "OverloadedError"),
        ("anthropic", ErrorEvent(), "APIStatusError"),
        ("openai-chat", Status(401), "AuthenticationError"),
        ("openai-chat", Status(429), "RateLimitError"),
        ("openai-chat", Status(500), "InternalServerError"),
        ("openai-chat", ErrorEvent(), "APIError"),
        ("openai-responses", Status(404), "NotFoundError"),
        ("openai-responses", ErrorEvent(), "APIError"),
        ("gemini", Status(429), "ClientError"),
        ("gemini", Status(503), "ServerError"),
    ],
)
async def test_every_sdk_sees_a_fault_as_it_would_see_the_real_one(
    dialect: str, effect: Effect, error: str
) -> None:
    async with Sandbox(faults=[Fault(effect)]) as sandbox:
        with pytest.raises(_error(dialect, error), match="sandbox"):
            await STREAMED[dialect](sandbox)


def _error(dialect: str, name: str) -> type[Exception]:
    errors = {"anthropic": "anthropic", "gemini": "genai_errors"}.get(dialect, "openai")
    error: type[Exception] = getattr(getattr(sdks, errors), name)
    return error


@pytest.mark.parametrize("dialect", STREAMED)
async def test_no_sdk_takes_a_cut_stream_for_a_whole_answer(dialect: str) -> None:
    async with Sandbox(faults=[Fault(Cut(2))]) as sandbox:
        with pytest.raises(Exception, match=r"(?i)peer closed|incomplete|payload|disconnect|connection error"):
            await STREAMED[dialect](sandbox)
