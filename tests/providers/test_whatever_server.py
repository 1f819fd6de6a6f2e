"""Whatever a server does, at every door to one: the call ends in time, with an answer or an error of ours."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.auth.apply import NoCredential
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.device import request_device_code
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.revoke import revoke
from llm_orc.auth.oauth.token_endpoint import TokenEndpointError, refresh
from llm_orc.auth.secret import Secret
from llm_orc.errors import LlmOrcError
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.net.transport import TransportError
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.dialects.anthropic import Anthropic
from llm_orc.providers.dialects.dialect import Dialect
from llm_orc.providers.dialects.gemini import Gemini
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.dialects.openai_responses import OpenAIResponses
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.limits.limiter import Limiter
from llm_orc.providers.model import HttpModel
from llm_orc.providers.model_list import list_models
from llm_orc.providers.retries import Retries
from tests.examples import many
from tests.fakes.loopback import Cut, Loopback, Silence
from tests.providers.conftest import Naps, Watcher

QUESTION = ModelRequest((Message("user", "hello"),))
STATUSES = [
    200,
    201,
    204,
    206,
    299,
    301,
    307,
    400,
    401,
    403,
    404,
    407,
    408,
    413,
    418,
    429,
    451,
    500,
    502,
    503,
    529,
    599,
]
HEADERS = [
    "content-type: application/json",
    "content-type: text/event-stream",
    "content-type: text/html; charset=nonsense",
    "content-encoding: gzip",
    "content-encoding: zstd",
    "transfer-encoding: chunked",
    "content-length: 7",
    "retry-after: 0",
    "retry-after: 99999999999999999999",
    "retry-after: Fri, 31 Dec 9999 23:59:59 GMT",
    "retry-after-ms: nan",
    "x-ratelimit-remaining-requests: 0",
    "x-ratelimit-reset-requests: 1e20",
    "anthropic-ratelimit-requests-reset: 9999-12-31T23:59:59-14:00",
    "date: Fri, 31 Dec 9999 23:59:59 GMT",
    "location: \x01\x02",
    "connection: close",
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b'{"error": {"message": 7, "type": [], "code": {}}}',
    b'{"error": "slow_down", "error_description": "\\ud800"}',
    b'{"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": -1}}',
    b'{"content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1e400}}',
    b'{"candidates": [{"content": {"parts": [{"text": "yes"}]}, "finishReason": "STOP"}]}',
    b'{"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "y"}]}]}',
    b'{"access_token": "a\\nb", "expires_in": NaN, "token_type": "bearer"}',
    b'{"access_token": "at", "expires_in": -1e999, "scope": [null]}',
    b'{"device_code": "d", "user_code": "U", "verification_uri": "https://a", "interval": 1e-9, "expires_in": 0}',
    b'{"data": [{"id": 7}], "models": {}}',
    b"data: {}\n\n",
    b"data: [DONE]\n\n",
    b"data: \xff\n\n",
    b'data: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
    b"[" * 30_000,
    b'{"a":' * 30_000,
    b"\x00\xff\xfe" * 100,
    gzip.compress(b'{"error": "invalid_grant"}'),
    b"1" * 5_000,
]


@st.composite
def scripts(draw: st.DrawFn) -> list[type[Cut | Silence] | bytes]:
    status = draw(st.sampled_from(STATUSES))
    headers = draw(st.lists(st.sampled_from(HEADERS), max_size=4, unique=True))
    body = draw(st.one_of(st.sampled_from(BODIES), st.binary(max_size=60)))
    head = "".join(f"{line}\r\n" for line in headers)
    cut_at = draw(st.integers(0, len(body)))
    end: type[Cut | Silence] = Cut if draw(st.booleans()) else Silence
    return [f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode("latin-1"), body[:cut_at], body[cut_at:], end]


def model(dialect: Dialect, *, stream: bool) -> Callable[[str, Http], Awaitable[object]]:
    def ask(url: str, http: Http) -> Awaitable[object]:
        endpoint, limiter = Endpoint("p", dialect.name, url, url), Limiter("p", None)
        asked = HttpModel(
            *(endpoint, "m", dialect, NoCredential(url), http),
            retries=Retries(0, Naps()),
            stream=stream,
            limiter=limiter,
        )
        return asked.reply(QUESTION, Watcher())

    return ask


def client(url: str) -> OAuthClient:
    return OAuthClient(
        "p",
        "id",
        token_endpoint=f"{url}/token",
        revocation_endpoint=f"{url}/revoke",
        device_authorization_endpoint=f"{url}/device",
    )


TOKEN = Secret("rt-canary-token")
DOORS: dict[str, Callable[[str, Http], Awaitable[object]]] = {
    **{
        f"{dialect.name}{' stream' if stream else ''}": model(dialect, stream=stream)
        for dialect in (Anthropic(), OpenAIChat(), OpenAIResponses(), Gemini())
        for stream in (False, True)
    },
    "token": lambda url, http: refresh(client(url), http, TOKEN),
    "device": lambda url, http: request_device_code(client(url), http),
    "revoke": lambda url, http: revoke(client(url), http, refresh_token=TOKEN, access_token=TOKEN),
    "metadata": lambda url, http: resolve(OAuthClient("p", "id", issuer=url), http),
    "models": lambda url, http: list_models(Endpoint("p", "openai-chat", url, url), http),
}


@pytest.mark.slow
@settings(deadline=None, max_examples=many(80))
@given(door=st.sampled_from(sorted(DOORS)), script=scripts())
def test_every_door_ends_in_time_with_an_answer_or_an_error_of_ours(
    door: str, script: list[type[Cut | Silence] | bytes]
) -> None:
    ended = asyncio.run(outcome(DOORS[door], script))

    if isinstance(ended, BaseException):
        assert isinstance(ended, LlmOrcError | TokenEndpointError | TransportError)
        assert "canary" not in str(ended)


async def outcome(
    ask: Callable[[str, Http], Awaitable[object]], script: list[type[Cut | Silence] | bytes]
) -> object:
    server = Loopback()
    await server.start()
    server.answers(script)
    try:
        async with asyncio.timeout(20), Http(NetworkSettings(idle_timeout_s=0.05, max_answer_mb=1), 5) as http:
            return await ask(server.url, http)
    except (LlmOrcError, TransportError) as e:
        return e
    finally:
        await server.stop()
