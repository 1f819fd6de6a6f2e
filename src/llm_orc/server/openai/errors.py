"""Errors in the form that clients of OpenAI read (https://platform.openai.com/docs/guides/error-codes)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from llm_orc.auth.masking import hide_in_error
from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    AnswerRestarted,
    AuthError,
    BudgetExceeded,
    ContentRefused,
    ConversationBusy,
    EnsembleError,
    InputError,
    LlmOrcError,
    PromptTooLarge,
    ProviderError,
    RateLimited,
    ReplyTimedOut,
)
from llm_orc.errors.lookup import error_class
from llm_orc.server.wire import encode

if TYPE_CHECKING:
    from llm_orc.engine.events import ErrorInfo
    from llm_orc.jsontypes import JsonValue


RUN_HEADER = "LLM-Orc-Run"
_RETRY_HEADER = "X-Should-Retry"  # the official SDKs heed it


@dataclass(frozen=True, slots=True)
class Failure:
    """An error for a client. `kind` is OpenAI's type of error, `code` ours."""

    status: int
    message: str
    kind: str
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None

    @property
    def document(self) -> JsonValue:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom an error is told. Messages and hints name files, commands and addresses of the owner's machine, which
    clients on other machines have no business to know: they are told what has to do with their request.
    """

    is_owner: bool
    request_id: str  # under which the owner finds the rest

    def words(self, kind: type[LlmOrcError], whole: str, message: str) -> str:
        """Return what this reader is told of an error of this kind."""
        if self.is_owner:
            return whole
        if issubclass(kind, _FOR_ALL):
            return _sentences(message, None)
        return f"This can't be answered now. The owner of the server finds why under `{self.request_id}`."


_FOR_ALL = (
    AnswerRestarted,
    BudgetExceeded,
    ContentRefused,
    ConversationBusy,
    PromptTooLarge,
    RateLimited,
    ReplyTimedOut,
)

# The first that fits.
_STATUSES: tuple[tuple[type[LlmOrcError], int, str], ...] = (
    (PromptTooLarge, 400, "invalid_request_error"),
    (ContentRefused, 400, "invalid_request_error"),
    (InputError, 400, "invalid_request_error"),
    (EnsembleError, 404, "invalid_request_error"),
    (RateLimited, 429, "rate_limit_error"),
    (BudgetExceeded, 429, "insufficient_quota"),
    (ConversationBusy, 409, "conflict_error"),
    (AuthError, 503, "server_error"),  # our access to a model, not the client's to us
    (ReplyTimedOut, 504, "server_error"),
    (ProviderError, 502, "server_error"),
)
_REFUSALS: dict[int, tuple[str, str]] = {
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    405: ("invalid_request_error", "method_not_allowed"),
    413: ("invalid_request_error", "request_too_large"),
    503: ("server_error", "overloaded"),
}
_CODES: tuple[tuple[type[LlmOrcError], str], ...] = (
    (PromptTooLarge, "context_length_exceeded"),
    (EnsembleError, "model_not_found"),
    (RateLimited, "rate_limit_exceeded"),
    (BudgetExceeded, "insufficient_quota"),  # known as one that a repetition doesn't mend
)


def failure_of(error: LlmOrcError, reader: Reader) -> Failure:
    """Return an error as a client reads it, without credentials."""
    return _failure(type(error), error.code, hide_in_error(str(error)), error.hint, reader)


def failure_in(error: ErrorInfo, reader: Reader) -> Failure:
    """Return the error with which an agent failed."""
    return _failure(error_class(error.code), error.code, error.message, error.hint, reader)


def _failure(kind: type[LlmOrcError], own_code: str, message: str, hint: str | None, reader: Reader) -> Failure:
    status, name = next(((s, n) for one, s, n in _STATUSES if issubclass(kind, one)), (500, "server_error"))
    code = next((c for one, c in _CODES if issubclass(kind, one)), own_code)
    return Failure(status, reader.words(kind, _sentences(message or own_code, hint), message), name, code)


def _sentences(message: str, hint: str | None) -> str:
    """Return a message, which starts small and has no full stop, and its hint as sentences."""
    text = f"{message[:1].upper()}{message[1:]}"
    text = text if text.endswith((".", "!", "?")) else f"{text}."
    return f"{text} {hint}" if hint else text


def error_response(failure: Failure, headers: dict[str, str] | None = None) -> web.Response:
    """Return the response for an error. SDKs repeat what has failed; after a run, that would be another one."""
    more = {} if failure.retry_after_s is None else {"Retry-After": str(int(failure.retry_after_s + 1))}
    if RUN_HEADER in (headers or {}):
        more[_RETRY_HEADER] = "false"
    return web.Response(
        body=encode(failure.document),
        status=failure.status,
        content_type="application/json",
        headers={**(headers or {}), **more},
    )


def refused(status: int, message: str) -> web.Response:
    """Return the response for a request that the server refuses before anybody is asked."""
    kind, code = _REFUSALS.get(status, ("invalid_request_error", None))
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return error_response(Failure(status, _sentences(message, None), kind, code), headers)
