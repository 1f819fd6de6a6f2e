"""Refusals of an auth method rather than of an expired credential: recognized by status, type and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.catalog.table import PROVIDERS, supported_way
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.base import Target
    from llm_orc.providers.errors.failures import ProviderWords


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal in a provider's words. Never matched by its text alone."""

    signature: str  # our stable name for it
    statuses: tuple[int, ...]
    kind: str  # the provider's `error.type`
    begins: str
    meaning: str


# Anthropic, for OAuth credentials; sources: reports and error pages as collected in 2026-10.
_REFUSALS = (
    Refusal(
        "claude_code_only",
        (400,),
        "invalid_request_error",
        "This credential is only authorized for use with Claude Code",
        "it accepts this credential from Claude Code only",
    ),
    Refusal(
        "extra_usage",
        (400,),
        "invalid_request_error",
        "Third-party apps now draw from your extra usage",
        "it would bill this as extra usage, not to the plan",
    ),
    Refusal(
        "oauth_not_supported",
        (401,),
        "authentication_error",
        "OAuth authentication is currently not supported",
        "it does not accept OAuth here",
    ),
    Refusal(
        "org_not_allowed",
        (401, 403),
        "permission_error",
        "OAuth authentication is currently not allowed for this organization",
        "the organization does not allow OAuth",
    ),
)
_LIMIT_HEADERS = ("retry-after", "anthropic-ratelimit-unified-status", "anthropic-ratelimit-unified-reset")


def refusal_of(
    status: int, words: ProviderWords, headers: Mapping[str, str], target: Target
) -> AccessRefused | None:
    """Return the refusal that an answer to an OAuth request is, or None for any other error."""
    for refusal in _REFUSALS:
        if status in refusal.statuses and words.kind == refusal.kind and words.message.startswith(refusal.begins):
            return _refused(refusal.signature, refusal.meaning, status, words, target)
    # A real limit says when it ends; without that, and with a bare `Error`, the entitlement is missing.
    is_bare = words.message == "Error" and not any(name in headers for name in _LIMIT_HEADERS)
    if status == 429 and words.kind == "rate_limit_error" and is_bare:
        return _refused(
            "entitlement_gate", "the subscription does not cover this auth method", status, words, target
        )
    return None


def _refused(signature: str, meaning: str, status: int, words: ProviderWords, target: Target) -> AccessRefused:
    return AccessRefused(
        f"{target} refuses this auth method: {meaning} (status {status}: {words.message})",
        hint=f"{_other_ways(target.provider)}This sign-in is not sent again before `llm-orc auth test` tries it.",
        signature=signature,
        status=status,
        provider_message=words.message,
    )


def _other_ways(provider: str) -> str:
    row = PROVIDERS.get(provider)
    sibling = row.metered_sibling if row is not None else None
    key = f"An API key of `{sibling}` is metered: billed per token." if sibling else ""
    return "".join(f"{sentence} " for sentence in (supported_way(provider), key) if sentence)
