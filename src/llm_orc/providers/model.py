"""A model over HTTP: one dialect, one endpoint, one credential; the one place where calls are retried."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    AccessRefused,
    AuthError,
    CredentialRefused,
    LlmOrcError,
    ModelNotFound,
    PromptTooLarge,
    ProviderError,
    ReplyCut,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.net.transport import Answer, TransportError, Trouble
from llm_orc.providers.base import LONGEST_WAIT_S, ModelInterface, PermittedAttempt, Target
from llm_orc.providers.dialects.calls import with_ids
from llm_orc.providers.dialects.draft import without_offer
from llm_orc.providers.errors.failures import from_status, from_transport, may_have_been_billed
from llm_orc.providers.limits.most import likely_input_tokens, most_input_tokens, most_output_tokens
from llm_orc.providers.limits.plan_limit import is_of_plan
from llm_orc.providers.redact import mask_error, masked_body, remember_credentials, remember_secret_values
from llm_orc.providers.retries import Retries
from llm_orc.providers.structured.asked import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.auth.apply import Authoriser
    from llm_orc.net.transport import Transport
    from llm_orc.providers.base import ModelRequest, Reply, ReplyObserver
    from llm_orc.providers.dialects.dialect import Dialect, StreamDecoder, WireRequest
    from llm_orc.providers.endpoint import Endpoint
    from llm_orc.providers.limits.limiter import Call, Limiter

_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
_USUAL_ANSWER = 500  # tokens
_MOST_FREE = 25  # refusals of one call that don't count as attempts


class HttpModel(ModelInterface):
    """Retries transient failures; streams only if `stream` is set and the call has an observer, or if the provider
    answers nothing but streams.

    Raises `AuthError` when made for a credential of another origin than the endpoint's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        dialect: Dialect,
        authoriser: Authoriser,
        http: Transport,
        *,
        retries: Retries | None = None,
        stream: bool = False,
        limiter: Limiter | None = None,
    ) -> None:
        retries = retries or Retries()
        self.provider = endpoint.provider
        self.name = model
        self._endpoint = endpoint
        self._target = Target(endpoint.provider, model, endpoint.calls)
        self._dialect = dialect
        self._authoriser = authoriser
        self._http = http
        self._max_retries = retries.most
        self._stream = stream
        self._limiter = limiter
        self._sleep = retries.sleep
        self._jitter = retries.jitter
        self._refuses_schemas = False  # learned from an answer
        self._check_origin()
        remember_secret_values(endpoint.headers)

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        """A server that refuses a schema is asked again with the schema in the prompt, and so from then on."""
        if request.schema is not None and self._refuses_schemas:
            request = replace(request, schema_in_words=True)
        try:
            return await self._reply(request, observer)
        except RequestRejected as e:
            if request.schema is None or request.schema_in_words or not _is_about_schema(e):
                raise
            if observer is not None:
                observer.retrying(e, 2, 0.0)
        self._refuses_schemas = True
        return await self._reply(replace(request, schema_in_words=True), observer)

    async def _reply(self, request: ModelRequest, observer: ReplyObserver | None) -> Reply:
        watcher = observer if self._stream else None
        streams = watcher is not None or self._target.calls.always_stream
        wire = self._dialect.encode(request, self._target, stream=streams)
        may_renew = True
        attempts = _Attempts()
        while True:
            headers = {**wire.headers, **self._endpoint.headers}
            try:
                reply = await self._admitted(request, wire, headers, watcher, attempts)
            except (CredentialRefused, AccessRefused) as e:
                if not (may_renew and _is_renewable(e) and await self._renew(e, headers, attempts, observer)):
                    await self._authoriser.remember(e, headers)
                    raise
                may_renew = False
                error: LlmOrcError = e
                delay_s = 0.0
            except ProviderError as e:
                if not attempts.may_go_on(self._max_retries) or not _is_worth_retrying(e):
                    raise
                error = e
                delay_s = 0.0 if attempts.was_free else self._delay_s(e, attempts.counted)
            else:
                self._authoriser.accepted()
                return with_ids(_as_asked(reply, wire), request)
            pause_s = self._limiter.pause_s if self._limiter is not None else 0.0
            await self._pause(error, delay_s, max(delay_s, pause_s), attempts, observer)

    async def _renew(
        self,
        refused: CredentialRefused | AccessRefused,
        headers: dict[str, str],
        attempts: _Attempts,
        observer: ReplyObserver | None,
    ) -> bool:
        """Refresh what was refused, with as many attempts as the call itself has: an outage of the authorisation
        server ends neither.
        """
        while True:
            try:
                return await self._authoriser.renew(refused, headers)
            except ProviderError as e:
                if not attempts.may_go_on(self._max_retries) or not _is_worth_retrying(e):
                    raise
                delay_s = self._delay_s(e, attempts.counted)
                attempts.counted += 1
                await self._pause(e, delay_s, delay_s, attempts, observer)

    async def _pause(
        self,
        error: LlmOrcError,
        delay_s: float,
        shown_s: float,
        attempts: _Attempts,
        observer: ReplyObserver | None,
    ) -> None:
        attempts.sent += 1
        if observer is not None:
            observer.retrying(error, attempts.sent, shown_s)
        if delay_s:
            await self._sleep(delay_s)

    async def _admitted(
        self,
        request: ModelRequest,
        wire: WireRequest,
        headers: dict[str, str],
        watcher: ReplyObserver | None,
        attempts: _Attempts,
    ) -> Reply:
        """Make one attempt when `permit` and the account's limits allow it."""
        if request.permit is None:
            return await self._limited(request, wire, headers, watcher, attempts)
        async with request.permit(len(wire.body)) as attempts.permitted:
            return await self._limited(request, wire, headers, watcher, attempts)

    async def _limited(
        self,
        request: ModelRequest,
        wire: WireRequest,
        headers: dict[str, str],
        watcher: ReplyObserver | None,
        attempts: _Attempts,
    ) -> Reply:
        limiter = self._limiter
        attempts.begin(is_let_in=limiter is None)
        if limiter is None:
            return await self._attempt(wire, headers, watcher, None, attempts.permitted)
        tokens = 0
        if limiter.counts_tokens:  # an estimate; the real usage corrects it
            tokens = likely_input_tokens(request, len(wire.body)) + _USUAL_ANSWER
        call = await limiter.start(tokens)
        attempts.is_let_in = True
        failure: BaseException | None = None
        used: int | None = None
        try:
            reply = await self._attempt(wire, headers, watcher, call, attempts.permitted)
            used = reply.usage.tokens
        except BaseException as e:
            failure = e
            raise
        finally:
            if used is None and limiter.counts_tokens and _may_be_billed(failure):
                size = len(wire.body)
                used = most_input_tokens(request, size, self.name) + most_output_tokens(request, self.name)
            attempts.ended(is_free=await limiter.end(call, failure, used if limiter.counts_tokens else None))
        return reply

    async def _attempt(
        self,
        wire: WireRequest,
        headers: dict[str, str],
        watcher: ReplyObserver | None,
        call: Call | None,
        permitted: PermittedAttempt | None,
    ) -> Reply:
        self._check_origin()
        await self._authoriser.authorise(headers)
        remember_credentials(headers, {*wire.headers, *self._endpoint.headers})
        url = self._endpoint.base_url + wire.path
        streams = watcher is not None or self._target.calls.always_stream
        decoder = self._dialect.decoder(self._target) if streams else None
        if permitted is not None:
            await permitted.before_send()
        if call is not None:
            call.is_sent = True
        try:
            if decoder is None:
                answer = await self._http.send("POST", url, headers, wire.body)
            else:
                answer = await self._http.send("POST", url, headers, wire.body, feed=_feed(decoder, watcher))
        except TransportError as e:
            failure = from_transport(e, self._target, self._endpoint.origin)
            mask_error(failure)
            raise failure from e
        except LlmOrcError as e:  # what the stream itself said
            e.may_be_billed = True
            mask_error(e)
            raise
        if call is not None:
            call.headers = answer.headers
        try:
            reply = self._reply_in(answer, decoder, watcher)
            reply = reply if wire.offers else without_offer(reply, self._target)
        except LlmOrcError as e:
            e.may_be_billed = may_have_been_billed(answer.status)
            mask_error(e)
            raise
        if permitted is not None:
            permitted.answered(reply)
        return reply

    def _reply_in(
        self, answer: Answer, decoder: StreamDecoder[Any] | None, watcher: ReplyObserver | None
    ) -> Reply:
        if not 200 <= answer.status < 300:
            raise self._failure(masked_body(answer))
        if decoder is None or answer.body:  # a server that doesn't stream answers in one piece
            return self._read(answer)
        if (rest := decoder.close()) and watcher is not None:
            watcher.text(rest)
        return decoder.finish(answer)

    def _read(self, answer: Answer) -> Reply:
        try:
            return self._dialect.read(answer, self._target)
        except ReplyUnreadable:
            return self._dialect.read(masked_body(answer), self._target)

    def _failure(self, answer: Answer) -> LlmOrcError:
        return from_status(
            answer.status,
            self._dialect.words(answer.body),
            self._target,
            answer.headers,
            key_hint=self._endpoint.key_hint,
            credential=self._endpoint.credential,
        )

    def _check_origin(self) -> None:
        if self._authoriser.origin != self._endpoint.origin:
            raise AuthError(
                f"the credential for `{self.provider}` belongs to `{self._authoriser.origin}` "
                f"and is not sent to `{self._endpoint.origin}`",
                hint=f"Set up a credential for `{self._endpoint.origin}`, or restore the provider's `base_url`.",
            )

    def _delay_s(self, error: ProviderError, attempt: int) -> float:
        """Exponential with full jitter, in addition to the provider's pause, so that not all retry at once."""
        spread: float = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (attempt - 1)) * self._jitter()
        return (
            spread if error.retry_after_s is None else error.retry_after_s + min(spread, 1 + error.retry_after_s)
        )


@dataclass(slots=True)
class _Attempts:
    """The attempts of a call, and how many of them count against `max_retries`."""

    sent: int = 1
    counted: int = 0
    free: int = 0
    was_free: bool = False
    is_let_in: bool = True
    permitted: PermittedAttempt | None = None  # the present attempt, as the budget sees it

    def begin(self, *, is_let_in: bool) -> None:
        self.is_let_in = is_let_in
        self.was_free = False
        self.counted += 1

    def ended(self, *, is_free: bool) -> None:
        """Count the attempt, unless it was a refusal from which the limiter learned the rate."""
        if is_free and self.free < _MOST_FREE:
            self.was_free = True
            self.free += 1
            self.counted -= 1

    def may_go_on(self, max_retries: int) -> bool:
        return self.is_let_in and self.counted <= max_retries


def _as_asked(reply: Reply, wire: WireRequest) -> Reply:
    """Return the value of an answer by a schema, and say that the provider was given it."""
    if not wire.enforces:
        return reply
    return replace(reply, text=unwrapped(reply.text) if wire.is_wrapped else reply.text, is_enforced=True)


def _may_be_billed(failure: BaseException | None) -> bool:
    return failure is None or not isinstance(failure, LlmOrcError) or failure.may_be_billed


def _is_about_schema(error: RequestRejected) -> bool:
    """Whether a server says that it can't answer by a schema, or not by this one."""
    if isinstance(error, ModelNotFound | PromptTooLarge):
        return False
    said = f"{error.message} {error.provider_message}".lower()
    return any(word in said for word in ("schema", "response_format", "output_config", "text.format", "grammar"))


def _feed(decoder: StreamDecoder[Any], watcher: ReplyObserver | None) -> Callable[[bytes], bool]:
    def feed(piece: bytes) -> bool:
        if (text := decoder.feed(piece)) and watcher is not None:
            watcher.text(text)
        return decoder.is_over

    return feed


def _is_renewable(refused: CredentialRefused | AccessRefused) -> bool:
    """A 401 may mean an expired token; a 403 is about permissions, and a new token has no more (RFC 6750 §3.1)."""
    return isinstance(refused, AccessRefused) or refused.status == 401


def _is_worth_retrying(error: ProviderError) -> bool:
    if not error.is_transient or (error.retry_after_s or 0.0) > LONGEST_WAIT_S or is_of_plan(error):
        return False
    if isinstance(error, ReplyCut) and error.would_again:
        return False
    cause = error.__cause__
    return not (isinstance(cause, TransportError) and cause.trouble is Trouble.CERTIFICATE)
