"""What every dialect must do, over a real socket. A new one subclasses `DialectSuite` and fills in its bytes."""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.errors import (
    ContentRefused,
    CredentialRefused,
    LlmOrcError,
    ModelNotFound,
    PromptTooLarge,
    ProviderOverloaded,
    RateLimited,
    ReplyCut,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.net.http import Http
from llm_orc.net.transport import Answer
from llm_orc.providers.base import Message, ModelRequest, Target, Usage
from llm_orc.providers.dialects.dialect import Dialect
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.model import HttpModel
from llm_orc.providers.retries import Retries
from tests.examples import many
from tests.fakes.loopback import Cut, Loopback, answer, stream
from tests.providers.conftest import Naps, Watcher

HELLO = ModelRequest((Message("user", "Hello"),))
TEXTS = ["Gr", "üß", " dich,\n", '\U0001f600 "world"']
KEY = "sk-canary"


def event(data: object, name: str = "") -> bytes:
    line = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {line}\n\n".encode()


class DialectSuite(ABC):
    """The provider counts 10 tokens in (4 of them from its cache) and 7 out in every answer."""

    dialect: ClassVar[Dialect]
    provider: ClassVar[str]
    key_header: ClassVar[str]
    key_scheme: ClassVar[str] = ""
    own_field: ClassVar[str]  # a body field that only llm-orc itself may fill
    says_that_it_is_over: ClassVar[bool] = True  # a stream, with an event that nothing follows
    usage: ClassVar[Usage] = Usage(input_tokens=10, output_tokens=7, cache_read_tokens=4)

    @abstractmethod
    def whole(self, text: str, stop: str) -> dict[str, Any]:
        """A whole reply of model `m-1`, with some thinking in it; `stop` is `end_turn` or `max_tokens`."""

    @abstractmethod
    def events(self, texts: list[str], stop: str) -> list[bytes]:
        """The same as a stream, ended as it should be."""

    @abstractmethod
    def refusal(self) -> dict[str, Any]:
        """A whole reply by which the model or a filter declines."""

    @abstractmethod
    def refusal_events(self) -> list[bytes]: ...

    @abstractmethod
    def error(self, message: str) -> dict[str, Any]:
        """The body of an error answer."""

    @abstractmethod
    def error_event(self, message: str) -> bytes:
        """What a stream says when the provider is overloaded in the middle of it."""

    def model(self, server: Loopback, http: Http, naps: Naps, **options: Any) -> HttpModel:
        endpoint = Endpoint(self.provider, self.dialect.name, server.url, server.url)
        key = ApiKeyHeader(server.url, self.key_header, Secret(KEY), self.key_scheme)
        retries = Retries(options.pop("max_retries", 4), naps)
        return HttpModel(endpoint, "m-0", self.dialect, key, http, retries=retries, **options)

    async def test_reads_a_whole_reply(self, server: Loopback, http: Http, naps: Naps) -> None:
        server.answers(answer(self.whole("".join(TEXTS), "end_turn"), headers={"x-request-id": "req-9"}))

        reply = await self.model(server, http, naps).reply(HELLO)

        assert reply.text == "".join(TEXTS)
        assert reply.usage == self.usage
        assert (reply.model, reply.stop_reason, reply.request_id) == ("m-1", "end_turn", "req-9")

    async def test_streams_the_same_reply(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        server.answers(stream(*self.events(TEXTS, "end_turn"), headers="x-request-id: req-9\r\n"))

        reply = await self.model(server, http, naps, stream=True).reply(HELLO, watcher)

        assert reply.text == "".join(watcher.pieces) == "".join(TEXTS)
        assert reply.usage == self.usage
        assert (reply.model, reply.stop_reason, reply.request_id) == ("m-1", "end_turn", "req-9")

    def test_reads_a_stream_however_it_is_cut_into_pieces(self) -> None:
        whole = b": keep-alive\n\ndata:\n\n" + b"".join(self.events(TEXTS, "end_turn"))

        @settings(max_examples=many(60), deadline=None)
        @given(cuts=st.lists(st.integers(0, len(whole)), max_size=60))
        def check(cuts: list[int]) -> None:
            places = sorted({0, *cuts, len(whole)})
            decoder = self.dialect.decoder(Target("p", "m"))

            seen = [decoder.feed(whole[a:b]) for a, b in itertools.pairwise(places)]

            assert "".join(seen) == decoder.finish(Answer(200, {})).text == "".join(TEXTS)

        check()

    def test_knows_when_a_stream_is_over(self) -> None:
        decoder = self.dialect.decoder(Target("p", "m"))
        *before, last = self.events(TEXTS, "end_turn")

        decoder.feed(b"".join(before))
        was_over = decoder.is_over
        decoder.feed(last)

        assert (was_over, decoder.is_over) == (False, self.says_that_it_is_over)

    async def test_says_that_a_reply_stopped_at_its_limit(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        server.answers(answer(self.whole("half", "max_tokens")), stream(*self.events(["half"], "max_tokens")))
        model = self.model(server, http, naps, stream=True)

        assert (await model.reply(HELLO)).stop_reason == "max_tokens"
        assert (await model.reply(HELLO, watcher)).stop_reason == "max_tokens"

    async def test_refuses_a_reply_without_text(self, server: Loopback, http: Http, naps: Naps) -> None:
        server.answers(answer(self.whole("", "max_tokens")))

        with pytest.raises(ReplyUnreadable, match="without any text") as caught:
            await self.model(server, http, naps).reply(HELLO)

        assert "max_tokens" in (caught.value.hint or "")

    async def test_tells_a_refusal_from_an_answer(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        server.answers(answer(self.refusal()), stream(*self.refusal_events()))
        model = self.model(server, http, naps, stream=True)

        for observer in (None, watcher):
            with pytest.raises(ContentRefused, match="declined"):
                await model.reply(HELLO, observer)
        assert len(server.heard) == 2

    async def test_tries_a_cut_stream_again_and_gives_up_in_the_end(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        some = self.events(TEXTS, "end_turn")[:3]
        server.answers(stream(*some, Cut), stream(*some))
        model = self.model(server, http, naps, stream=True, max_retries=2)

        with pytest.raises(ReplyCut, match=f"`{self.provider}`.*`m-0`.*broke off"):
            await model.reply(HELLO, watcher)

        assert [attempt for _, attempt, _ in watcher.retries] == [2, 3]
        assert len(server.heard) == 3

    async def test_takes_an_error_in_a_stream_for_what_it_is(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        server.answers(
            stream(self.events(TEXTS, "end_turn")[0], self.error_event("too busy")),
            stream(*self.events(TEXTS, "end_turn")),
        )

        reply = await self.model(server, http, naps, stream=True).reply(HELLO, watcher)

        (error, attempt, _), *others = watcher.retries
        assert isinstance(error, ProviderOverloaded)
        assert error.provider_message == "too busy"
        assert (attempt, others) == (2, [])
        assert reply.text == "".join(watcher.pieces) == "".join(TEXTS)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, RequestRejected),
            (401, CredentialRefused),
            (403, CredentialRefused),
            (404, ModelNotFound),
            (413, PromptTooLarge),
            (422, RequestRejected),
            (429, RateLimited),
            (500, ProviderOverloaded),
            (503, ProviderOverloaded),
            (529, ProviderOverloaded),
        ],
    )
    async def test_gives_each_status_its_error(
        self, server: Loopback, http: Http, naps: Naps, status: int, kind: type[LlmOrcError]
    ) -> None:
        server.answers(answer(self.error("the provider's own words"), status))

        with pytest.raises(kind) as caught:
            await self.model(server, http, naps, max_retries=0, stream=True).reply(HELLO, Watcher())

        assert type(caught.value) is kind
        assert f"`{self.provider}` (model `m-0`)" in caught.value.message
        assert "the provider's own words" in caught.value.message
        assert caught.value.hint
        assert getattr(caught.value, "status", None) == status
        assert KEY not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"

    async def test_shows_the_start_of_what_is_not_json(self, server: Loopback, http: Http, naps: Naps) -> None:
        server.answers(answer(b"<html>\x1b[31m<h1>Gateway\x00</h1>" + b"x" * 5000, content_type="text/html"))

        with pytest.raises(ReplyUnreadable, match=r"status 200.*is not JSON") as caught:
            await self.model(server, http, naps).reply(HELLO)

        assert "<html>[31m<h1>Gateway</h1>" in caught.value.message
        assert caught.value.message.isprintable()
        assert len(caught.value.message) < 300
        assert len(server.heard) == 1

    @pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b"7", b'{"error": 7}', b"<html>\x1b</html>"])
    async def test_reads_any_error_body(self, server: Loopback, http: Http, naps: Naps, body: bytes) -> None:
        server.answers(answer(body, 422))

        with pytest.raises(RequestRejected) as caught:
            await self.model(server, http, naps).reply(HELLO)

        assert caught.value.message.isprintable()

    async def test_refuses_a_stream_of_garbage(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        server.answers(stream(b"data: {garbage\n\n"))

        with pytest.raises(ReplyUnreadable, match="garbage"):
            await self.model(server, http, naps, stream=True).reply(HELLO, watcher)

    async def test_takes_a_whole_reply_from_a_server_that_does_not_stream(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        server.answers(answer(self.whole("in one piece", "end_turn")))

        reply = await self.model(server, http, naps, stream=True).reply(HELLO, watcher)

        assert reply.text == "in one piece"

    async def test_does_not_stream_unless_made_for_it(
        self, server: Loopback, http: Http, naps: Naps, watcher: Watcher
    ) -> None:
        server.answers(answer(self.whole("plain", "end_turn")))

        await self.model(server, http, naps).reply(HELLO, watcher)

        assert "stream" not in server.heard[0].json
        assert "stream" not in server.heard[0].target
        assert watcher.pieces == []

    async def test_sends_the_key_in_its_header_and_nowhere_else(
        self, server: Loopback, http: Http, naps: Naps
    ) -> None:
        server.answers(answer(self.whole("yes", "end_turn")))

        await self.model(server, http, naps).reply(HELLO)

        heard = server.heard[0]
        assert heard.headers[self.key_header.lower()] == f"{self.key_scheme} {KEY}".strip()
        assert KEY not in heard.target
        assert KEY.encode() not in heard.body

    async def test_puts_options_into_the_body(self, server: Loopback, http: Http, naps: Naps) -> None:
        server.answers(answer(self.whole("yes", "end_turn")))
        request = ModelRequest(HELLO.messages, options={"top_k": 3, "metadata": {"user_id": "u"}})

        await self.model(server, http, naps).reply(request)

        assert server.heard[0].json["top_k"] == 3
        assert server.heard[0].json["metadata"] == {"user_id": "u"}

    async def test_lets_no_option_take_the_place_of_its_own_fields(
        self, server: Loopback, http: Http, naps: Naps
    ) -> None:
        for name in ("model", "messages", "stream", self.own_field):
            with pytest.raises(RequestRejected, match=f"`options.{name}`"):
                await self.model(server, http, naps).reply(ModelRequest(HELLO.messages, options={name: "mine"}))

        assert server.heard == []

    async def test_asks_for_json(self, server: Loopback, http: Http, naps: Naps) -> None:
        server.answers(answer(self.whole("{}", "end_turn")))

        await self.model(server, http, naps).reply(ModelRequest(HELLO.messages, json_output=True))

        assert "json" in server.heard[0].body.decode().lower()
