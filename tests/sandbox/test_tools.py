"""The sandbox plays models that call tools, and refuses what providers refuse, in all four protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.catalog.dialects import DIALECTS
from llm_orc.errors import ReplyCut, RequestRejected
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelInterface, ModelRequest, Reply
from llm_orc.providers.build import build_model
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.parts import Attachment, ToolAnswer, ToolOffer
from llm_orc.sandbox.canned import LABEL, Said
from llm_orc.sandbox.faults import Cut, Fault, MaxTokens
from llm_orc.sandbox.server import Sandbox
from tests.fakes.scripted_model import called, scripted
from tests.providers.conftest import Watcher

every_dialect = pytest.mark.parametrize("dialect", list(DIALECTS))
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])

WEATHER = ToolOffer("weather", "Say the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
PROMPT = Message("user", "How is it in Paris and Rome?")
CALLS = called("weather", "call_1", city="Paris"), called("weather", "call_2", city='Rome "\U0001f600"')
THINK: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


@asynccontextmanager
async def model_of(
    dialect: str, *turns: Said | str, streamed: bool = False, **options: Any
) -> AsyncIterator[tuple[ModelInterface, Sandbox]]:
    async with (
        Http(NetworkSettings(idle_timeout_s=30), max_connections=5) as http,
        Sandbox(compose=scripted(*turns), **options) as sandbox,
    ):
        row = next(row for row in DIALECTS.values() if row.name == dialect)
        provider = row.author or "a-provider"
        endpoint = Endpoint(provider, row.name, sandbox.base_url(dialect), sandbox.origin)
        key = ApiKeyHeader(sandbox.origin, row.key_header, Secret("k"), row.key_scheme)
        yield build_model(endpoint, "m-9", key, http, stream=streamed, max_retries=0), sandbox


def asking(*messages: Message, dialect: str = "") -> ModelRequest:
    return ModelRequest(messages, tools=(WEATHER,), options=THINK if dialect == "anthropic" else {})


def said(reply: Reply) -> Message:
    return Message("assistant", reply.text, calls=reply.calls, own=reply.own)


@every_dialect
@both_ways
@pytest.mark.parametrize("text", ["", "I look."])
async def test_a_loop_of_two_calls_goes_to_its_end(dialect: str, text: str, *, streamed: bool) -> None:
    async with model_of(dialect, Said(text, CALLS), "It is sunny.", streamed=streamed) as (model, sandbox):
        watcher = Watcher()
        first = await model.reply(asking(PROMPT, dialect=dialect), watcher)
        results = tuple(ToolAnswer(call.id, call.name, f"{call.name} fine") for call in first.calls)
        after = asking(PROMPT, said(first), Message("user", "", results=results), dialect=dialect)
        last = await model.reply(after, watcher)

    assert first.text == (f"{LABEL} {text}" if text else "")
    assert first.calls == CALLS
    assert (first.stop_reason, last.text) == (
        "end_turn" if dialect in {"gemini", "openai-responses"} else "tool_use",
        f"{LABEL} It is sunny.",
    )
    assert "".join(watcher.pieces) == (first.text + last.text if streamed else "")
    one, two = sandbox.requests
    assert one.tools == two.tools == (WEATHER,)
    turn, answered = two.messages[1:]
    assert [call.arguments for call in turn.calls] == [call.arguments for call in CALLS]
    assert [result.text for result in answered.results] == ["weather fine", "weather fine"]
    kept = {"anthropic": "thinking", "openai-responses": "reasoning"}.get(dialect)
    if kept:
        assert turn.own is not None
        assert kept in [block["type"] for block in turn.own.blocks if isinstance(block, dict)]


@every_dialect
async def test_a_result_that_is_missing_or_of_another_call_is_refused(dialect: str) -> None:
    async with model_of(dialect, Said("", CALLS)) as (model, _):
        first = await model.reply(asking(PROMPT))
        one = ToolAnswer(first.calls[0].id, "weather", "fine")
        for results in ((), (one,), (one, ToolAnswer("call_9", "other", "forged"))):
            with pytest.raises(RequestRejected):
                await model.reply(asking(PROMPT, said(first), Message("user", "So?", results=results)))


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
async def test_a_turn_whose_signature_is_lost_is_refused(dialect: str) -> None:
    async with model_of(dialect, Said("", CALLS)) as (model, sandbox):
        first = await model.reply(asking(PROMPT, dialect=dialect))
        assert first.own is not None
        unsigned = tuple(
            {key: value for key, value in block.items() if key not in {"thoughtSignature", "signature"}}
            for block in first.own.blocks
            if isinstance(block, dict)
        )
        results = tuple(ToolAnswer(call.id, call.name, "fine") for call in first.calls)
        turn = Message(
            "assistant", "", calls=first.calls, own=type(first.own)(sandbox.requests[0].dialect, unsigned)
        )

        with pytest.raises(RequestRejected, match=r"thought_signature|Expected `thinking`"):
            await model.reply(asking(PROMPT, turn, Message("user", "", results=results), dialect=dialect))


@every_dialect
@pytest.mark.parametrize("tokens", [0, 3])
async def test_a_stream_that_breaks_off_in_a_call_has_none(dialect: str, tokens: int) -> None:
    text = "" if tokens == 0 else "one two"
    async with model_of(dialect, Said(text, CALLS), streamed=True, faults=[Fault(Cut(tokens))]) as (model, _):
        with pytest.raises(ReplyCut, match="broke off before its end"):
            await model.reply(asking(PROMPT), Watcher())


@every_dialect
@both_ways
async def test_a_call_at_the_limit_is_none(dialect: str, *, streamed: bool) -> None:
    fault = [Fault(MaxTokens(1))]
    async with model_of(dialect, Said("", CALLS), streamed=streamed, faults=fault) as (model, _):
        with pytest.raises(ReplyCut) as caught:
            await model.reply(asking(PROMPT), Watcher())

    assert "Raise `max_tokens`" in (caught.value.hint or "")


async def test_each_turn_of_an_anthropic_loop_reads_the_one_before_from_the_cache() -> None:
    async with model_of("anthropic", Said("", CALLS), Said("", CALLS[:1]), "Done.") as (model, _):
        messages = [PROMPT]
        usages = []
        for _ in range(3):
            reply = await model.reply(asking(*messages))
            usages.append(reply.usage)
            results = tuple(ToolAnswer(call.id, call.name, "fine and dry") for call in reply.calls)
            messages += [said(reply), Message("user", "", results=results)]

    first, second, third = usages
    assert first.cache_read_tokens == 0
    assert second.cache_read_tokens == first.cache_write_tokens > 0
    assert third.cache_read_tokens == second.cache_read_tokens + second.cache_write_tokens


@every_dialect
async def test_an_answer_names_the_files_that_came(dialect: str) -> None:
    files = Attachment("a.png", "image/png", b"\x89PNG"), Attachment("b.pdf", "application/pdf", b"%PDF-")
    async with Http(NetworkSettings(idle_timeout_s=30), max_connections=5) as http, Sandbox() as sandbox:
        row = next(row for row in DIALECTS.values() if row.name == dialect)
        endpoint = Endpoint("p", row.name, sandbox.base_url(dialect), sandbox.origin)
        model = build_model(endpoint, "m", ApiKeyHeader(sandbox.origin, row.key_header, Secret("k")), http)
        reply = await model.reply(ModelRequest((Message("user", "Look.", attachments=files),)))

    assert "image/png, 4 bytes" in reply.text
    assert "application/pdf, 5 bytes" in reply.text
    assert [file.data for file in sandbox.requests[0].messages[0].attachments] == [file.data for file in files]
