"""Every fault on the wire, in every dialect, and which requests it meets."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from llm_orc.sandbox.canned import LABEL
from llm_orc.sandbox.faults import (
    Cut,
    Delay,
    Drip,
    Effect,
    ErrorEvent,
    Fault,
    Garbage,
    Hang,
    MaxTokens,
    Refusal,
    SlowHeaders,
    Status,
)
from llm_orc.sandbox.server import Sandbox
from tests.sandbox.calls import CALLS, DIALECTS, VERSION, ask, streamed_text

ERROR_WORDS = {
    "anthropic": {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error"},
    "openai-chat": {
        400: "invalid_request_error",
        404: "model_not_found",
        429: "rate_limit_exceeded",
        500: "server_error",
    },
    "gemini": {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"},
}
ERROR_WORDS["openai-responses"] = ERROR_WORDS["openai-chat"]


async def _statuses(sandbox: Sandbox, count: int, dialect: str = "openai-chat", **changes: Any) -> list[int]:
    return [(await ask(sandbox, dialect, **changes)).status for _ in range(count)]


async def _read_until_broken(sandbox: Sandbox, dialect: str, *, stream: bool) -> bytes:
    """Return what came before the connection broke; fails if it did not break."""
    call = CALLS[dialect]
    body = call.body | ({"stream": True} if stream and dialect != "gemini" else {})
    came = b""
    path = call.streamed_path if stream else call.path
    async with (
        aiohttp.ClientSession() as session,
        session.post(sandbox.origin + path, json=body, headers=VERSION) as response,
    ):
        try:
            async for piece in response.content.iter_any():
                came += piece
        except aiohttp.ClientPayloadError:
            return came
    return pytest.fail("the answer came to its end")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_a_status_comes_in_the_dialects_own_shape(dialect: str, status: int) -> None:
    async with Sandbox(faults=[Fault(Status(status))]) as sandbox:
        got = await ask(sandbox, dialect, stream=True)

    assert got.status == status
    assert ERROR_WORDS[dialect][status].encode() in got.body
    assert got.json["error"]["message"]


async def test_anthropics_overload_has_its_own_status() -> None:
    async with Sandbox(faults=[Fault(Status(529))]) as sandbox:
        got = await ask(sandbox, "anthropic")

    assert got.status == 529
    assert got.json["error"]["type"] == "overloaded_error"
    assert got.json["request_id"] == got.headers["request-id"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_rate_limit_says_when_to_come_again(dialect: str) -> None:
    async with Sandbox(faults=[Fault(Status(429, retry_after_s=1.5))]) as sandbox:
        got = await ask(sandbox, dialect)

    assert got.headers["retry-after"] == "1.5"
    remaining = {name: value for name, value in got.headers.items() if name.endswith("remaining-requests")}
    assert set(remaining.values()) <= {"0"}


async def test_geminis_rate_limit_says_when_to_come_again_in_its_body_too() -> None:
    async with Sandbox(faults=[Fault(Status(429, retry_after_s=7))]) as sandbox:
        got = await ask(sandbox, "gemini")

    assert got.json["error"]["details"][0]["retryDelay"] == "7s"


async def test_a_status_can_bring_a_body_of_its_own() -> None:
    async with Sandbox(faults=[Fault(Status(502, body="<h1>Bad gateway</h1>"))]) as sandbox:
        got = await ask(sandbox, "anthropic")

    assert (got.status, got.body) == (502, b"<h1>Bad gateway</h1>")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("effect", [Delay(0.1), SlowHeaders(0.1)])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_late_answer_comes_whole_after_its_time(dialect: str, effect: Effect, stream: bool) -> None:
    async with Sandbox(faults=[Fault(effect, times=1)]) as sandbox:
        began = time.monotonic()
        late = await ask(sandbox, dialect, stream=stream)
        took_s = time.monotonic() - began
        prompt = await ask(sandbox, dialect, stream=stream)

    assert took_s >= 0.1
    assert late.status == 200
    if stream:
        assert streamed_text(dialect, late) == streamed_text(dialect, prompt)
    else:
        assert CALLS[dialect].text(late.json) == CALLS[dialect].text(prompt.json)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_dripping_stream_says_the_same(dialect: str) -> None:
    async with Sandbox(faults=[Fault(Drip(), times=1)]) as sandbox:
        dripped = await ask(sandbox, dialect, stream=True, model="canned-ü")
        smooth = await ask(sandbox, dialect, stream=True, model="canned-ü")

    assert streamed_text(dialect, dripped) == streamed_text(dialect, smooth)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_cut_stream_breaks_off_after_so_many_tokens(dialect: str) -> None:
    async with Sandbox(faults=[Fault(Cut(4))]) as sandbox:
        came = await _read_until_broken(sandbox, dialect, stream=True)

    assert LABEL.encode() in came
    assert came.count(b"data: ") == {"anthropic": 7, "openai-chat": 5, "openai-responses": 8, "gemini": 4}[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_cut_whole_answer_breaks_off_in_the_middle(dialect: str) -> None:
    async with Sandbox(faults=[Fault(Cut(4))]) as sandbox:
        came = await _read_until_broken(sandbox, dialect, stream=False)

    assert came.startswith(b"{")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_hanging_stream_is_silent_after_its_tokens_until_the_client_goes(dialect: str) -> None:
    call = CALLS[dialect]
    body = call.body | ({"stream": True} if dialect != "gemini" else {})

    async with Sandbox(faults=[Fault(Hang(2))]) as sandbox:
        async with (
            aiohttp.ClientSession() as session,
            session.post(sandbox.origin + call.streamed_path, json=body, headers=VERSION) as response,
        ):
            came = b""
            while came.count(b"I ") == 0:
                came += await response.content.readany()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(response.content.readany(), 0.05)

        await sandbox.wait_until_idle()


async def test_a_hang_from_the_start_sends_nothing_at_all() -> None:
    async with Sandbox(faults=[Fault(Hang())]) as sandbox:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(sandbox, "anthropic"), 0.1)

        assert len(sandbox.requests) == 1
        await sandbox.wait_until_idle()


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("anthropic", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"'),
        ("openai-chat", b'data: {"error":{"message":"Overloaded'),
        ("openai-responses", b'event: error\ndata: {"type":"error"'),
        ("gemini", b'data: {"error":{"code":503'),
    ],
)
async def test_an_error_event_ends_a_stream(dialect: str, said: bytes) -> None:
    async with Sandbox(faults=[Fault(ErrorEvent(2))]) as sandbox:
        got = await ask(sandbox, dialect, stream=True)

    assert got.status == 200
    assert LABEL.encode() in got.body
    assert got.body.rstrip().split(b"\n\n")[-1].startswith(said)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_error_event_makes_a_whole_answer_an_error_with_status_200(dialect: str) -> None:
    async with Sandbox(faults=[Fault(ErrorEvent())]) as sandbox:
        got = await ask(sandbox, dialect)

    assert got.status == 200
    assert got.json["error"]["message"].startswith("Overloaded")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_garbage_is_a_web_page_with_status_200(dialect: str, stream: bool) -> None:
    async with Sandbox(faults=[Fault(Garbage())]) as sandbox:
        got = await ask(sandbox, dialect, stream=stream)

    assert got.status == 200
    assert got.headers["content-type"].startswith("text/html")
    assert got.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("anthropic", '"stop_reason":"refusal"'),
        ("openai-chat", f'"refusal":"{LABEL}'),
        ("openai-responses", f'"refusal":"{LABEL}'),
        ("gemini", '"SAFETY"'),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_said_in_the_dialects_own_way(dialect: str, said: str, stream: bool) -> None:
    async with Sandbox(faults=[Fault(Refusal())]) as sandbox:
        got = await ask(sandbox, dialect, stream=stream)

    assert got.status == 200
    assert said.encode() in got.body


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_max_tokens_stops_an_answer_that_set_no_such_limit(dialect: str) -> None:
    async with Sandbox(faults=[Fault(MaxTokens(2))]) as sandbox:
        got = await ask(sandbox, dialect, stream=True)

    assert len(streamed_text(dialect, got).removeprefix(LABEL).split()) == 1


async def test_a_fault_meets_only_the_first_so_many_requests() -> None:
    async with Sandbox(faults=[Fault(Status(503), times=2)]) as sandbox:
        assert await _statuses(sandbox, 4) == [503, 503, 200, 200]


async def test_a_fault_can_let_requests_pass_before_it() -> None:
    async with Sandbox(faults=[Fault(Status(503), after=1, times=2)]) as sandbox:
        assert await _statuses(sandbox, 5) == [200, 503, 503, 200, 200]


async def test_faults_take_their_turns() -> None:
    faults = [Fault(Status(429), times=1), Fault(Status(529), times=1), Fault(Status(500), after=1, times=1)]

    async with Sandbox(faults=faults) as sandbox:
        assert await _statuses(sandbox, 5) == [429, 529, 200, 500, 200]


async def test_a_fault_meets_only_models_that_its_glob_matches() -> None:
    async with Sandbox(faults=[Fault(Status(500), model="slow-*")]) as sandbox:
        assert await _statuses(sandbox, 1, model="slow-one") == [500]
        assert await _statuses(sandbox, 1, model="fast-one") == [200]


@pytest.mark.parametrize("contains", ["financial analyst", "seed round"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_fault_can_look_for_words_in_system_prompt_and_prompt(dialect: str, contains: str) -> None:
    async with Sandbox(faults=[Fault(Status(500), contains=contains)]) as sandbox:
        assert await _statuses(sandbox, 1, dialect) == [500]

    async with Sandbox(faults=[Fault(Status(500), contains="elsewhere")]) as sandbox:
        assert await _statuses(sandbox, 1, dialect) == [200]


async def test_two_sandboxes_count_the_same_fault_apart() -> None:
    faults = [Fault(Status(500), times=1)]

    async with Sandbox(faults=faults) as one, Sandbox(faults=faults) as other:
        assert await _statuses(one, 2) == [500, 200]
        assert await _statuses(other, 2) == [500, 200]


async def test_a_delay_of_the_sandbox_holds_every_answer_back() -> None:
    async with Sandbox(delay_s=0.1) as sandbox:
        began = time.monotonic()
        await ask(sandbox, "anthropic")

        assert time.monotonic() - began >= 0.1


async def test_a_pace_spreads_a_stream_over_time() -> None:
    async with Sandbox(tokens_per_s=200, compose=lambda _: "word " * 20) as sandbox:
        began = time.monotonic()
        await ask(sandbox, "anthropic", stream=True)

        assert time.monotonic() - began >= 0.1
