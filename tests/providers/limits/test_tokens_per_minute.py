"""A limit of tokens holds for what calls may have taken, also where the provider doesn't say how much that was."""

from __future__ import annotations

import asyncio

import pytest

from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.net.http import Http
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.limits.limiter import Limiter
from llm_orc.providers.model import HttpModel
from llm_orc.providers.retries import Retries
from llm_orc.settings.model import CallLimits
from tests.fakes.loopback import Cut, Loopback, Script, answer

TEXT = {"choices": [{"message": {"content": "An answer."}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "script",
    [answer(TEXT), answer({**TEXT, "usage": {"prompt_tokens": 0, "completion_tokens": 0}}), [Cut]],
    ids=["no usage", "zeros", "dropped"],
)
async def test_forty_calls_of_unknown_usage_do_not_go_at_once(
    server: Loopback, http: Http, script: Script
) -> None:
    server.answers(script)
    endpoint = Endpoint("openai", "openai-chat", server.url, server.url)
    limiter = Limiter("openai", CallLimits(tokens_per_minute=20_000))
    key = ApiKeyHeader(server.url, "x-key", Secret("k"), "")
    model = HttpModel(endpoint, "m", OpenAIChat(), key, http, retries=Retries(0), limiter=limiter)
    request = ModelRequest((Message("user", "Hello"),), max_tokens=2000)

    calls = [asyncio.ensure_future(model.reply(request)) for _ in range(40)]
    await asyncio.wait(calls, timeout=0.4)

    # A tenth of a minute's tokens may go at once: at about 500 for each call before it is known, four calls.
    assert 1 <= len(server.heard) <= 4
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
