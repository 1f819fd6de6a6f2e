"""Servers on loopback that imitate providers, in four wire protocols. Loads aiohttp: import it where it is used.

Every answer says that it is canned. No content of requests is logged, and only loopback is served.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Self

import msgspec
from aiohttp import web

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, StorageError
from llm_orc.net.origin import is_loopback
from llm_orc.protocols.anthropic import AnthropicDialect
from llm_orc.protocols.chat_request import ArrivedRequest, ChatRequest, Rejected
from llm_orc.protocols.gemini import GeminiDialect
from llm_orc.protocols.openai_chat import OpenAiChatDialect
from llm_orc.protocols.openai_responses import OpenAiResponsesDialect
from llm_orc.protocols.reply import ServedReply, Stop
from llm_orc.sandbox.canned import (
    LABEL,
    Compose,
    PromptCache,
    Said,
    count,
    count_call,
    prompts_in_full,
    summary,
    tokens_of,
)
from llm_orc.sandbox.faults import (
    Delay,
    Effect,
    Fault,
    FaultPlan,
    Garbage,
    Hang,
    MaxTokens,
    Refusal,
    RefusalSignature,
    SlowHeaders,
    Status,
)
from llm_orc.sandbox.loopback import only_for_loopback
from llm_orc.sandbox.model_lists import INDEX, add_lists
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.plan_calls import PlanCalls
from llm_orc.sandbox.refusals import refused_as
from llm_orc.sandbox.request_log import ReceivedRequest, RequestLog
from llm_orc.sandbox.respond import CANNED_HEADER, Delivery, hang, in_one_piece, rejection, slow_headers
from llm_orc.sandbox.token_check import TokenCheck

if TYPE_CHECKING:
    from types import TracebackType

    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.dialect import Dialect
    from llm_orc.sandbox.model_lists import Handler

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (AnthropicDialect(), OpenAiChatDialect(), OpenAiResponsesDialect(), GeminiDialect())
}
USUAL_PORT = 4715  # where the catalog expects `llm-orc sandbox`
_LARGEST_BODY = 32 * 1024 * 1024  # bytes, Anthropic's limit
_SHUTDOWN_S = 0.05  # to finish answers; then they are cut off
_END_S = 5.0  # for cut answers to end
_BACKLOG = 4096


@dataclass(kw_only=True, eq=False, repr=False)
class Sandbox:
    """A loopback server that answers as the providers would; a context manager that starts and stops it.

    Raises `InputError` for a host that isn't this machine's and, when entered, `StorageError` for a port in use.
    """

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free port
    faults: Sequence[Fault] = ()
    tokens_per_s: float | None = None  # the pace of streams; None: as fast as possible
    delay_s: float = 0.0  # the delay of every answer
    show_prompts: bool = False  # answer with everything that a model would receive, ignoring `max_tokens`
    compose: Compose | None = None  # makes what comes after the label of an answer, and calls of tools
    context_window: int | None = None  # in tokens: longer requests are refused; each word counts as one
    accept_keys: Collection[str] | None = None  # any other key or token is answered with 401
    keep_requests: bool = True  # False: only count them, for long-lived servers
    oauth: OAuthServer | None = None  # an authorisation server on the same port
    require_token: bool = False  # answer only to valid tokens of `oauth`
    origin: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise InputError(
                f"the sandbox serves this machine only, and `{self.host}` is not a loopback address",
                hint="Use `127.0.0.1` or `::1`.",
            )
        self._fault_plan = FaultPlan(self.faults)
        self._compose = self.compose or (prompts_in_full if self.show_prompts else summary)
        self._tokens = TokenCheck(self.oauth) if self.oauth is not None and self.require_token else None
        self._plan = PlanCalls(self.oauth) if self.oauth is not None else None
        self._cache = PromptCache()
        self._log = RequestLog(keep=self.keep_requests)
        self._number = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        runner = web.AppRunner(
            self._application(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port, backlog=_BACKLOG).start()
        except OSError as error:
            await runner.cleanup()
            raise StorageError(
                f"the sandbox can't listen on port {self.port} of `{self.host}`: {error.strerror or error}",
                hint="Give another `--port`, or 0 for a free one.",
            ) from error
        host, port = runner.addresses[0][:2]
        self.origin = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        if self.oauth is not None:
            self.oauth.listens_at(self.origin)
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            await self._log.wait_until_idle(_END_S)

    def base_url(self, dialect: str) -> str:
        """Return the base URL in the form that the dialect's official SDK expects."""
        return self.origin + DIALECTS[dialect].base_path

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests for answers in order of arrival, refused ones included."""
        return self._log.kept

    @property
    def request_count(self) -> int:
        return self._log.count

    @property
    def requests_in_progress(self) -> int:
        return self._log.in_progress

    async def wait_for_requests(self, count: int, *, timeout_s: float = 10.0) -> list[ReceivedRequest]:
        """Return once `count` requests for answers have arrived in all. Raises `TimeoutError`."""
        await self._log.wait_for(count, timeout_s)
        return self.requests

    async def wait_until_idle(self, *, timeout_s: float = 10.0) -> None:
        """Return once all requests are answered, cut off, or abandoned by their clients. Raises `TimeoutError`."""
        await self._log.wait_until_idle(timeout_s)

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[only_for_loopback], client_max_size=_LARGEST_BODY)
        application.router.add_get("/", _index)
        for dialect in DIALECTS.values():
            for path in dialect.paths:
                application.router.add_post(path, self._answering(dialect))
        add_lists(application, self._guarded, self._plan)
        if self.oauth is not None:
            self.oauth.add_to(application)
        application.router.add_route("*", "/{anything:.*}", _not_found)
        return application

    def _guarded(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            dialect = _dialect_of(request)
            try:
                if self.accept_keys is not None and dialect.credential(request.headers) not in self.accept_keys:
                    raise dialect.wrong_key()
                if self._plan is not None:
                    self._plan.check_token(request.headers)
                if self._tokens is not None:
                    self._tokens.check(dialect.name, request.headers)
            except Rejected as rejected:
                return rejection(dialect, rejected, dialect.request_id(0))
            return await handler(request)

        return answer

    def _answering(self, dialect: Dialect) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            self._log.begun()
            try:
                return await self._answer(dialect, request)
            except ConnectionError:  # the client has disconnected
                return web.Response()
            finally:
                self._log.ended()

        return answer

    async def _answer(self, dialect: Dialect, request: web.Request) -> web.StreamResponse:
        self._number += 1
        number = self._number
        request_id = dialect.request_id(number)
        try:
            asked = await self._read(dialect, request)
            effect = self._fault_plan.next_for(asked)
            tokens = count(asked.input_text)
            if self.context_window is not None and tokens > self.context_window:
                raise dialect.too_long(tokens, self.context_window)
            await self._hold_back(effect)
            reply = self._reply(dialect, asked, effect, number)
        except Rejected as rejected:
            return rejection(dialect, rejected, request_id)
        headers = {**CANNED_HEADER, **dialect.headers(request_id, time.time(), exhausted=False)}
        if isinstance(effect, Garbage):
            return web.Response(text=effect.body, content_type="text/html", headers=CANNED_HEADER)
        if isinstance(effect, SlowHeaders):
            body, kind = in_one_piece(dialect, reply, asked.stream)
            return await slow_headers(request, effect.seconds, {**headers, "content-type": kind}, body)
        delivery = Delivery(dialect, reply, headers, self.tokens_per_s, effect)
        return await (delivery.streamed(request) if asked.stream else delivery.whole(request))

    async def _read(self, dialect: Dialect, request: web.Request) -> ChatRequest:
        asked: ChatRequest | None = None
        body = b""
        try:
            body = await request.read()
            document = _json_object(dialect, body)
            if self._plan is not None:
                self._plan.check(dialect.name, request.headers, document)
            path = request.match_info
            arrived = ArrivedRequest(
                request.headers, request.query, document, path.get("model", ""), path.get("verb", "")
            )
            asked = dialect.read(arrived)
            if self.accept_keys is not None and dialect.credential(request.headers) not in self.accept_keys:
                raise dialect.wrong_key()
            if self._tokens is not None:
                self._tokens.check(dialect.name, request.headers)
        except web.HTTPRequestEntityTooLarge as error:
            raise Rejected(413, "Request exceeds the maximum size") from error
        finally:
            self._log.read(_received(dialect, request, body, asked))
        return asked

    async def _hold_back(self, effect: Effect | None) -> None:
        """Wait as configured. Raises `Rejected` if the fault is a status."""
        await asyncio.sleep(effect.seconds if isinstance(effect, Delay) else self.delay_s)
        if isinstance(effect, Status):
            raise Rejected(
                effect.status,
                f"status {effect.status} (a fault of the llm-orc sandbox)",
                retry_after_s=effect.retry_after_s,
                body=effect.body,
            )
        if isinstance(effect, RefusalSignature) and effect.tokens is None:
            raise refused_as(effect.signature)
        if isinstance(effect, Hang) and effect.tokens is None:
            await hang()

    def _reply(self, dialect: Dialect, asked: ChatRequest, effect: Effect | None, number: int) -> ServedReply:
        stop: Stop = "end"
        composed = self._compose(asked)
        said = Said(composed) if isinstance(composed, str) else composed
        calls = said.calls
        tokens = tokens_of(asked, said.text) if said.text or not calls else ()
        if calls:
            stop = "tool"
        limit = None if self.show_prompts else asked.max_tokens
        match effect:
            case Refusal():
                stop, tokens, calls = "refusal", (f"{LABEL} ", "I ", "decline."), ()
            case MaxTokens(tokens=most):
                limit = most
            case _:
                pass
        length = len(tokens) + sum(count_call(call) for call in calls)
        if limit is not None and limit < length:
            stop, tokens = "max_tokens", tokens[: max(1, limit)]
        return ServedReply(
            number=number,
            created_at=time.time(),
            model=asked.model,
            tokens=tokens,
            usage=self._cache.usage(asked, length, may_write=dialect.name == "anthropic"),
            stop=stop,
            counts_usage=asked.wants_usage,
            calls=calls,
            thinks=asked.wants_thoughts,
        )


def _received(dialect: Dialect, request: web.Request, body: bytes, asked: ChatRequest | None) -> ReceivedRequest:
    return ReceivedRequest(
        dialect=dialect.name,
        path=request.path,
        headers=request.headers,
        at=time.time(),
        body=body,
        model=asked.model if asked else "",
        system_prompt=asked.system_prompt if asked else None,
        messages=asked.messages if asked else (),
        stream=asked.stream if asked else False,
        tools=asked.tools if asked else (),
    )


def _json_object(dialect: Dialect, body: bytes) -> dict[str, JsonValue]:
    try:
        value: JsonValue = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(400, dialect.not_json) from error
    if not isinstance(value, dict):
        raise Rejected(400, dialect.not_json)
    return value


async def _index(request: web.Request) -> web.Response:
    return web.Response(text=INDEX, headers=CANNED_HEADER)


async def _not_found(request: web.Request) -> web.Response:
    dialect = _dialect_of(request)
    rejected = Rejected(404, f"the sandbox has no {request.method} {request.path}", error_code="unknown_url")
    return rejection(dialect, rejected, dialect.request_id(0))


def _dialect_of(request: web.Request) -> Dialect:
    """Guess the dialect of the client, to answer in its format."""
    if "anthropic-version" in request.headers:
        return DIALECTS["anthropic"]
    if request.path.startswith("/v1beta") or ":" in request.path:
        return DIALECTS["gemini"]
    return DIALECTS["openai-chat"]
