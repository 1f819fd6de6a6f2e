"""Failures as typed errors: from a status and the provider's text, or from a broken connection."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self

from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    CredentialRefused,
    LlmOrcError,
    ModelNotFound,
    PromptTooLarge,
    ProviderError,
    ProviderOverloaded,
    ProviderUnreachable,
    RateLimited,
    ReplyCut,
    ReplyTimedOut,
    ReplyTooLarge,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.net.text import one_line
from llm_orc.net.transport import TransportError, Trouble
from llm_orc.providers.base import LONGEST_WAIT_S
from llm_orc.providers.errors.known_errors import KnownError, known_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.base import Target


@dataclass(frozen=True, slots=True)
class ProviderWords:
    """A provider's description of a failure, for one line. `kind` and `code` are for programs."""

    message: str
    kind: str = ""
    code: str = ""
    param: str = ""  # the part of the request that it is about
    retry_after_s: float | None = None


_LONGEST_WISH_S = 1e9  # thirty years: longer than anyone waits, and still a valid date

_TOO_LARGE_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "request_too_large"})
_TOO_LARGE_WORDS = (
    "prompt is too long",  # Anthropic
    "input token count",  # Gemini
    "maximum context length",  # OpenAI, vLLM, OpenRouter
    "context length exceeded",
    "exceeds the available context size",  # llama-server
    "input length and `max_tokens` exceed context limit",
)
_NOT_ABLE = (
    "not support",
    "unsupported",
    "endpoints found that support",  # OpenRouter, with status 404
    "not enabled",  # Gemini
    "requires --enable-auto-tool-choice",  # vLLM
    "missing data required for image input",  # Ollama
)
_NO_MODEL_CODES = frozenset({"model_not_found"})
_NO_MODEL_WORDS = ("not a valid model", "model not found")
_NO_MONEY_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_error"})
_NO_MONEY_WORDS = ("credit balance is too low", "insufficient credits")
# Subscription credentials that the provider only accepts from its own programs.
_NOT_FOR_US_WORDS = ("this credential is only authorized for use with", "third-party apps now draw from")
_BAD_KEY_WORDS = (*_NOT_FOR_US_WORDS, "api key not valid", "api key expired", "api key not found")
_BAD_KEY_CODES = frozenset({"API_KEY_INVALID"})
_BETWEEN = frozenset({408, 499, 502, 504, *range(520, 528)})  # of gateways; 520 and more are Cloudflare's
_RETRYABLE_4XX = frozenset({408, 409, 425})


def from_status(
    status: int,
    words: ProviderWords,
    target: Target,
    headers: Mapping[str, str],
    *,
    key_hint: str = "",
    credential: str = "credential",
    now: datetime | None = None,
) -> LlmOrcError:
    """Return the error for an answer that isn't 2xx. `credential` describes the one that was sent and its source,
    `key_hint` says what to do if it is refused. A code that the provider's row explains comes before the status.
    """
    if (meaning := target.calls.errors.get(words.code)) is not None:
        wait_s = _Wait.read(headers, words, now).seconds
        return known_error(meaning, KnownError(target, words.message, words.param, wait_s, key_hint, credential))
    if 300 <= status < 400:
        return _redirected(status, target, headers)
    if _is_about_access(status, words):
        return CredentialRefused(
            f"{target} {'does not allow this with' if status == 403 else 'refused'} the {credential}"
            f" (status {status}){_said(words)}",
            hint=key_hint or "Check the API key of this provider.",
            status=status,
            provider_message=words.message,
        )
    if status == 429 and not {words.code, words.kind} & _NO_MONEY_CODES:
        return _busy(RateLimited, status, words, target, _Wait.read(headers, words, now))
    if status >= 500 or status in _RETRYABLE_4XX:
        return _busy(ProviderOverloaded, status, words, target, _Wait.read(headers, words, now))
    return _rejected(status, words, target)


def _said(words: ProviderWords) -> str:
    return f": {words.message}" if words.message else ""


def _is_about_access(status: int, words: ProviderWords) -> bool:
    """True for 400s about access: Google's for a wrong key, Anthropic's for a credential of its own programs."""
    is_bad_key = words.code in _BAD_KEY_CODES or words.message.lower().startswith(_BAD_KEY_WORDS)
    return status in {401, 403} or (status == 400 and is_bad_key)


def _missing_ability(said: str) -> tuple[str, str] | None:
    """Return what a model can't do and what to do about it, if its provider says that; `said` is in lower case."""
    if not any(words in said for words in _NOT_ABLE):
        return None
    if "tool" in said or "function call" in said:
        return "does not take tools", "Remove `tools` from the agent, or use a model that can call tools."
    if any(word in said for word in ("image", "vision", "pdf", "multimodal")):
        return "does not take these files", "Use a model that takes images and documents."
    return None


def _rejected(status: int, words: ProviderWords, target: Target) -> ProviderError:
    lower = words.message.lower()
    names = {words.code, words.kind}
    kind: type[RequestRejected] = RequestRejected
    happened, hint = (
        "rejected the request",
        "Check the agent's `options` and parameters against the provider's documentation.",
    )
    if status == 402 or names & _NO_MONEY_CODES or any(w in lower for w in _NO_MONEY_WORDS):
        happened, hint = "requires payment", "Add credit to the account that this API key belongs to."
    elif status == 413 or names & _TOO_LARGE_CODES or any(w in lower for w in _TOO_LARGE_WORDS):
        kind, happened = PromptTooLarge, "can't accept such a long prompt"
        hint = "Shorten the input, or use a model with a larger context."
    elif (ability := _missing_ability(lower)) is not None:
        happened, hint = ability
    elif status == 404 or names & _NO_MODEL_CODES or any(w in lower for w in _NO_MODEL_WORDS):
        kind, happened = ModelNotFound, "does not know this model"
        hint = (
            f"`llm-orc models list {target.provider}` shows what it offers. Check the spelling of `model`, and the"
            " provider's `base_url`."
        )
    return kind(
        f"{target} {happened} (status {status}){_said(words)}",
        hint=hint,
        status=status,
        provider_message=words.message,
    )


@dataclass(frozen=True, slots=True)
class _Wait:
    """The pause that the provider asks for, and its end."""

    seconds: float | None
    until: str

    @classmethod
    def read(cls, headers: Mapping[str, str], words: ProviderWords, now: datetime | None) -> Self:
        now = now or datetime.now(UTC)
        seconds = retry_after_s(headers, words, now)
        try:
            until = (now + timedelta(seconds=seconds or 0.0)).strftime("%Y-%m-%d %H:%M:%S UTC")
        except (ValueError, OverflowError):  # infinite, or not a number
            return cls(None, "")
        return cls(seconds, until)


def _busy(
    kind: type[RateLimited | ProviderOverloaded], status: int, words: ProviderWords, target: Target, wait: _Wait
) -> ProviderError:
    happened, hint = _BUSY[kind]
    message = f"{target} {happened} (status {status}){_said(words)}"
    if wait.seconds is not None and wait.seconds > LONGEST_WAIT_S:
        message = f"{message} (it asks to wait {wait.seconds:.0f} s)"
        hint = f"Try again after {wait.until}, with `llm-orc resume`."
    return kind(message, hint=hint, status=status, provider_message=words.message, retry_after_s=wait.seconds)


_BUSY: dict[type[ProviderError], tuple[str, str]] = {
    RateLimited: (
        "is limiting requests",
        "Lower `--max-concurrent`, or set a `fallback_model_profile`.",
    ),
    ProviderOverloaded: (
        "is overloaded or out of service",
        "Try again later, or set a `fallback_model_profile`.",
    ),
}


def _redirected(status: int, target: Target, headers: Mapping[str, str]) -> RequestRejected:
    # A query might contain a secret; the address alone is enough.
    where = one_line(headers.get("location", "").partition("?")[0])
    return RequestRejected(
        f"{target} answered with a redirect (status {status}) to `{where or 'nowhere'}`, which is not followed",
        hint="If that is your provider's address, set it as this provider's `base_url`.",
        status=status,
    )


def retry_after_s(headers: Mapping[str, str], words: ProviderWords, now: datetime) -> float | None:
    """Return the requested pause in seconds: `retry-after-ms`, `Retry-After` (RFC 9110 §10.2.3), or its body.

    An absurdly large value counts as a very long pause, not as none, so that no retry follows at once.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        try:
            seconds = float(text) * unit_s
        except ValueError:
            continue
        if seconds >= 0 and (math.isfinite(seconds) or text.isdigit()):
            return min(seconds, _LONGEST_WISH_S)
    if "retry-after" in headers:
        return _until_s(headers["retry-after"], now)
    in_body = words.retry_after_s
    return min(in_body, _LONGEST_WISH_S) if in_body is not None and in_body >= 0 else None


def _until_s(http_date: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return min(max(0.0, (then - now).total_seconds()), _LONGEST_WISH_S)


def from_transport(error: TransportError, target: Target, origin: str) -> ProviderError:
    """Return the error for a request without a complete answer."""
    kind, happened, hint = _WITHOUT_ANSWER[error.trouble]
    failure = kind(f"{happened.format(target=target, origin=origin)}: {error.reason}", hint=error.hint or hint)
    failure.may_be_billed = error.trouble not in _NEVER_SENT
    return failure


_NEVER_SENT = frozenset({Trouble.NOT_SENT, Trouble.CERTIFICATE, Trouble.INVALID})


def may_have_been_billed(status: int) -> bool:
    """False if the provider refused before it answered, which is not billed.

    An intermediary that got no complete answer from the provider tells nothing about billing.
    """
    return 200 <= status < 300 or status in _BETWEEN


_WITHOUT_ANSWER: Mapping[Trouble, tuple[type[ProviderError], str, str]] = {
    Trouble.NOT_SENT: (
        ProviderUnreachable,
        "{target} can't be reached at `{origin}`",
        "Check the network, and that the server is running. If you need a proxy, set HTTPS_PROXY.",
    ),
    Trouble.CERTIFICATE: (
        ProviderUnreachable,
        "the TLS certificate of {target} at `{origin}` is not trusted",
        "If a company proxy or your own server signs it, set `network.ca_file` or SSL_CERT_FILE to its CA.",
    ),
    Trouble.DROPPED: (
        ReplyCut,
        "the connection to {target} ended before the answer did",
        "Run it again; if it happens often, look for a proxy or gateway with a time limit.",
    ),
    Trouble.SILENT: (
        ReplyTimedOut,
        "{target} fell silent",
        "Raise `network.idle_timeout_seconds`, or use a faster model.",
    ),
    Trouble.TOO_SLOW: (
        ReplyTimedOut,
        "the answer of {target} did not end",
        "Raise `network.answer_timeout_seconds`, or request less at once.",
    ),
    Trouble.TOO_LARGE: (
        ReplyTooLarge,
        "the answer of {target} was abandoned because it is too large",
        "Check this provider's `base_url`; if such answers are expected, raise `network.max_answer_mb`.",
    ),
    Trouble.GARBAGE: (
        ReplyUnreadable,
        "the server for {target} at `{origin}` doesn't speak HTTP",
        "Check this provider's `base_url`.",
    ),
    Trouble.INVALID: (
        RequestRejected,
        "the request to {target} can't be sent",
        "Check this provider's `base_url` and `headers`, and that its key is one plain line.",
    ),
}
