"""Which ends of a call may be billed: all but those of which it is sure that nobody bills them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.errors import LlmOrcError
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest, Reply
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.model import HttpModel
from llm_orc.providers.retries import Retries
from tests.fakes.loopback import Cut, Loopback, Script, Silence, answer, stream
from tests.providers.conftest import Naps, Watcher
from tests.providers.dialects.suite import event

REQUEST = ModelRequest((Message("user", "Hello"),))
TEXT = {"choices": [{"message": {"content": "An answer."}, "finish_reason": "stop"}]}
PIECE = event({"choices": [{"delta": {"content": "An "}}]})


@dataclass
class Attempts:
    """A permit that remembers what it was told."""

    sizes: list[int] = field(default_factory=list)
    sent: int = 0
    answers: list[Reply] = field(default_factory=list)
    ends: list[BaseException | None] = field(default_factory=list)

    @asynccontextmanager
    async def __call__(self, size: int) -> AsyncIterator[Attempts]:
        self.sizes.append(size)
        try:
            yield self
        except BaseException as e:
            self.ends.append(e)
            raise
        self.ends.append(None)

    async def before_send(self) -> None:
        self.sent += 1

    def answered(self, reply: Reply) -> None:
        self.answers.append(reply)


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(NetworkSettings(idle_timeout_s=0.2), max_connections=5) as transport:
        yield transport


def model(url: str, http: Http, *, retries: int = 0) -> HttpModel:
    endpoint = Endpoint("openrouter", "openai-chat", url, url)
    key = ApiKeyHeader(url, "x-key", Secret("k"), "")
    return HttpModel(endpoint, "m", OpenAIChat(), key, http, retries=Retries(retries, Naps()), stream=True)


async def failure_of(asked: HttpModel) -> tuple[LlmOrcError, Attempts]:
    attempts = Attempts()
    with pytest.raises(LlmOrcError) as caught:
        await asked.reply(replace(REQUEST, permit=attempts), Watcher())
    return caught.value, attempts


BILLED: dict[str, Script] = {
    "dropped": [Cut],
    "silence": [Silence],
    "silence in the middle": stream(PIECE, Silence),
    "cut": stream(PIECE, Cut),
    "cut without a word": stream(PIECE),
    "an error in the middle": stream(PIECE, event({"error": {"code": 503, "message": "overloaded"}})),
    "an error in a whole answer": answer({"error": {"code": 429, "message": "slow down"}}),
    "garbage": answer(b"<p>Please sign in.</p>", content_type="text/html"),
    "no HTTP": [b"SSH-2.0-OpenSSH\r\n\r\n"],
    "no text": answer({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}),
    "declined": answer({"choices": [{"message": {"refusal": "No."}, "finish_reason": "stop"}]}),
    **{str(status): answer({}, status) for status in (408, 499, 502, 504, 520, 524)},
}
REFUSED = (301, 400, 401, 402, 403, 404, 413, 422, 429, 500, 501, 503, 529)


@pytest.mark.parametrize("script", BILLED.values(), ids=BILLED)
async def test_a_call_that_was_sent_may_be_billed(server: Loopback, http: Http, script: Script) -> None:
    server.answers(script)

    error, attempts = await failure_of(model(server.url, http))

    assert error.may_be_billed
    assert (attempts.sent, attempts.ends, attempts.answers) == (1, [error], [])


@pytest.mark.parametrize("status", REFUSED)
async def test_one_that_the_provider_refused_is_not(server: Loopback, http: Http, status: int) -> None:
    server.answers(answer({"error": {"message": "no"}}, status))

    error, attempts = await failure_of(model(server.url, http))

    assert not error.may_be_billed
    assert attempts.sent == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://name.invalid"])
async def test_one_that_never_got_a_connection_is_not(http: Http, url: str) -> None:
    error, _ = await failure_of(model(url, http))

    assert not error.may_be_billed


async def test_each_try_is_permitted_by_its_size_and_told_what_came_of_it(server: Loopback, http: Http) -> None:
    scripts: Sequence[Script] = (answer({}, 503), [Cut], answer(TEXT))
    server.answers(*scripts)
    attempts = Attempts()

    reply = await model(server.url, http, retries=2).reply(replace(REQUEST, permit=attempts), Watcher())

    assert attempts.sizes == [len(heard.body) for heard in server.heard]
    assert [error is not None and getattr(error, "may_be_billed", None) for error in attempts.ends] == [
        False,
        True,
        False,
    ]
    assert attempts.answers == [reply]


async def test_a_call_that_is_cancelled_tells_so(server: Loopback, http: Http) -> None:
    server.answers([Silence])
    attempts = Attempts()
    asked = asyncio.ensure_future(model(server.url, http).reply(replace(REQUEST, permit=attempts)))
    async with asyncio.timeout(5):
        while not server.heard:
            await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)

    assert attempts.sent == 1
    assert isinstance(attempts.ends[0], asyncio.CancelledError)
