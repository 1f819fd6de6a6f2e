"""Errors of providers: they can't be reached, refuse, or send no usable answer."""

from __future__ import annotations

from typing import ClassVar

from llm_orc.errors.base import LlmOrcError


class ProviderError(LlmOrcError):
    """The provider failed or said no. `status` is the HTTP status (0: none came), `provider_message` its text.

    `is_transient`: the same request may succeed later; `retry_after_s`: the pause that the provider asks for.
    """

    code = "provider"
    exit_code = 5
    is_transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int = 0,
        provider_message: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.provider_message = provider_message
        self.retry_after_s = retry_after_s


class ProviderUnreachable(ProviderError):
    """There was no connection: network, name, proxy or certificate."""

    code = "provider_unreachable"
    is_transient = True


class ProviderOverloaded(ProviderError):
    """The provider answered 5xx or 529: it failed or is overloaded."""

    code = "provider_overloaded"
    is_transient = True


class RateLimited(ProviderError):
    """The provider answered 429, even to the last retry."""

    code = "rate_limited"
    is_transient = True


class PlanLimitReached(RateLimited):
    """A limit of the plan that pays is reached. `resets_at`, in Unix seconds, is what the provider said; None: it
    said nothing. `is_of_model`: the limit is that of one model, and the plan's others still answer.
    """

    code = "plan_limit_reached"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int = 0,
        provider_message: str = "",
        retry_after_s: float | None = None,
        resets_at: float | None = None,
        is_of_model: bool = False,
    ) -> None:
        super().__init__(
            message, hint=hint, status=status, provider_message=provider_message, retry_after_s=retry_after_s
        )
        self.resets_at = resets_at
        self.is_of_model = is_of_model


class RequestRejected(ProviderError):
    """The provider answered 400 or 422: sending the same request again does not help."""

    code = "request_rejected"


class ModelNotFound(RequestRejected):
    """The provider does not know this model."""

    code = "model_not_found"


class PromptTooLarge(RequestRejected):
    """The request has more tokens than the model accepts."""

    code = "prompt_too_large"


class ConversationFull(PromptTooLarge):
    """The turns of a conversation no longer fit the model."""

    code = "conversation_full"


class ContentRefused(ProviderError):
    """The model or a filter of its provider declined to answer."""

    code = "content_refused"


class ReplyUnreadable(ProviderError):
    """The reply is not a valid answer of the protocol."""

    code = "reply_unreadable"


class ToolAttempted(ReplyUnreadable):
    """The model tried to use a tool where only text was asked for."""

    code = "tool_attempted"


class ReplyCut(ReplyUnreadable):
    """The answer broke off before its end.

    `would_again`: the same request would break off at the same point, so it is not retried.
    """

    code = "reply_cut"
    is_transient = True
    would_again = False


class ReplyTooLarge(ProviderError):
    """The answer is larger than the setting `network.max_answer_mb` allows."""

    code = "reply_too_large"


class ReplyTimedOut(ProviderError):
    """The provider was silent for too long, or its answer did not end in time."""

    code = "reply_timed_out"
