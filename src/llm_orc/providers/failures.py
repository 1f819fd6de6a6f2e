"""What went wrong, as a typed error: from a status and the provider's words, or from a broken connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

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
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.providers.text import one_line
from llm_orc.providers.transport import TransportError, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.dialect import ProviderWords, Target

LONGEST_WAIT_S = 60.0
"""A provider that asks for a longer pause is not waited for."""

_TOO_LARGE_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "request_too_large"})
_TOO_LARGE_WORDS = (
    "prompt is too long",  # Anthropic
    "input token count",  # Gemini
    "maximum context length",  # OpenAI, vLLM, OpenRouter
    "context length exceeded",
    "exceeds the available context size",  # llama-server
    "input length and `max_tokens` exceed context limit",
)
_NO_MODEL_CODES = frozenset({"model_not_found"})
_NO_MODEL_WORDS = ("not a valid model", "model not found")
_NO_MONEY_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_error"})
_NO_MONEY_WORDS = ("credit balance is too low", "insufficient credits")
# Credentials of a subscription that the provider takes from its own programs only.
_NOT_FOR_US_WORDS = ("this credential is only authorized for use with", "third-party apps now draw from")
_RETRYABLE_4XX = frozenset({408, 409, 425})


def from_status(
    status: int,
    words: ProviderWords,
    target: Target,
    headers: Mapping[str, str],
    *,
    key_hint: str = "",
    now: datetime | None = None,
) -> LlmOrcError:
    """The error for an answer that isn't 2xx. `key_hint` says where the credential came from or comes from."""
    if 300 <= status < 400:
        return _redirected(status, target, headers)
    said = f": {words.message}" if words.message else ""
    if _is_about_access(status, words):
        return CredentialRefused(
            f"{target} refused the credential (status {status}){said}",
            hint=key_hint or "Check the API key of this provider.",
            status=status,
            provider_message=words.message,
        )
    if status == 429 and words.code not in _NO_MONEY_CODES and words.kind not in _NO_MONEY_CODES:
        return _rate_limited(words, target, headers, now or datetime.now(UTC))
    if status >= 500 or status in _RETRYABLE_4XX:
        return ProviderOverloaded(
            f"{target} is overloaded or out of order (status {status}){said}",
            hint="Try again later, or set a `fallback_model_profile`.",
            status=status,
            provider_message=words.message,
            retry_after_s=retry_after_s(headers, words, now or datetime.now(UTC)),
        )
    return _rejected(status, words, target, said)


def _is_about_access(status: int, words: ProviderWords) -> bool:
    return status in {401, 403} or (status == 400 and words.message.lower().startswith(_NOT_FOR_US_WORDS))


def _rejected(status: int, words: ProviderWords, target: Target, said: str) -> ProviderError:
    lower = words.message.lower()
    names = {words.code, words.kind}
    kind: type[RequestRejected] = RequestRejected
    happened, hint = (
        "rejected the request",
        "Check the agent's `options` and parameters against the provider's documentation.",
    )
    if status == 402 or names & _NO_MONEY_CODES or any(w in lower for w in _NO_MONEY_WORDS):
        happened, hint = "wants to be paid first", "Add credit to the account that this API key belongs to."
    elif status == 413 or names & _TOO_LARGE_CODES or any(w in lower for w in _TOO_LARGE_WORDS):
        kind, happened = PromptTooLarge, "can't take so long a prompt"
        hint = "Shorten the input, or use a model with a larger context."
    elif status == 404 or names & _NO_MODEL_CODES or any(w in lower for w in _NO_MODEL_WORDS):
        kind, happened = ModelNotFound, "does not know this model"
        hint = "Check the spelling of `model`, that this account may use it, and the provider's `base_url`."
    return kind(
        f"{target} {happened} (status {status}){said}", hint=hint, status=status, provider_message=words.message
    )


def _rate_limited(words: ProviderWords, target: Target, headers: Mapping[str, str], now: datetime) -> RateLimited:
    wait = retry_after_s(headers, words, now)
    said = f": {words.message}" if words.message else ""
    message = f"{target} limits how much is asked of it (status 429){said}"
    hint = "Lower `--max-concurrent`, or set a `fallback_model_profile`."
    if wait is not None and wait > LONGEST_WAIT_S:
        until = (now + timedelta(seconds=wait)).strftime("%Y-%m-%d %H:%M:%S UTC")
        message = f"{message} (it asks to wait {wait:.0f} s)"
        hint = f"Try again after {until}, with `llm-orc resume`."
    return RateLimited(message, hint=hint, status=429, provider_message=words.message, retry_after_s=wait)


def _redirected(status: int, target: Target, headers: Mapping[str, str]) -> RequestRejected:
    # A query might carry something secret; the address alone says enough.
    where = one_line(headers.get("location", "").partition("?")[0])
    return RequestRejected(
        f"{target} answered with a redirect (status {status}) to `{where or 'nowhere'}`, which is not followed.",
        hint="If that is where your provider lives, set it as this provider's `base_url`.",
        status=status,
    )


def retry_after_s(headers: Mapping[str, str], words: ProviderWords, now: datetime) -> float | None:
    """Seconds the provider asks to wait: `retry-after-ms`, `Retry-After` (RFC 9110 §10.2.3), or its body."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        try:
            seconds = float(text) * unit_s
        except ValueError:
            continue
        if 0 <= seconds < 1e9:
            return seconds
    return _until_s(headers.get("retry-after", ""), now) if "retry-after" in headers else words.retry_after_s


def _until_s(http_date: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(http_date)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())


def from_transport(error: TransportError, target: Target, origin: str) -> ProviderError:
    """The error for a request that got no whole answer."""
    match error.trouble:
        case Trouble.NOT_SENT:
            return ProviderUnreachable(
                f"{target} can't be reached at `{origin}`: {error.reason}.",
                hint="Check the network, HTTPS_PROXY, and that the server runs.",
            )
        case Trouble.CERTIFICATE:
            return ProviderUnreachable(
                f"The TLS certificate of {target} at `{origin}` is not trusted: {error.reason}.",
                hint="If a company proxy or your own server signs it, put its CA into `network.ca_file` "
                "(config.yaml) or SSL_CERT_FILE.",
            )
        case Trouble.DROPPED:
            return ReplyCut(
                f"The connection to {target} ended before the answer did: {error.reason}.",
                hint="Run it again; if it happens often, look for a proxy or gateway with a time limit.",
            )
        case Trouble.SILENT:
            return ReplyTimedOut(
                f"{target} fell silent: {error.reason}.",
                hint="Raise `network.idle_timeout_seconds`, or use a faster model.",
            )
        case Trouble.GARBAGE:
            return ReplyUnreadable(
                f"What answers for {target} at `{origin}` doesn't speak HTTP: {error.reason}.",
                hint="Check `base_url` of this provider.",
            )
        case Trouble.INVALID:
            return RequestRejected(
                f"The request to {target} can't be sent: {error.reason}.",
                hint="Check `base_url` and `headers` of this provider, and that its key is one plain line.",
            )
