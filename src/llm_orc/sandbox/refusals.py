"""How providers refuse a token, with their own texts: expired, revoked, or not allowed for third-party tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal, get_args

from llm_orc.dataclass import dataclass
from llm_orc.protocols.chat_request import Rejected

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName

_SHARING = "subscription_sharing"
TokenTrouble = Literal["missing", "unknown", "expired", "revoked", "scope"]
SignatureName = Literal[
    "claude_code_only",
    "extra_usage",
    "oauth_not_supported",
    "org_not_allowed",
    "token_expired",
    "invalid_credentials",
    "token_revoked",
    "member_removed",
    "scope",
    "rate_limited",
    "entitlement_gate",
    "credit_balance",
    "plan_limit",
    "plan_not_eligible",
    "plan_unavailable",
    "plan_account_unavailable",
    "plan_unsupported",
    "plan_route",
    "plan_invalid_user",
    "plan_disconnected",
]


@dataclass(frozen=True, slots=True)
class Signature:
    """One refusal in a provider's words. `keeps_limit_headers` False: it has no rate-limit headers.

    `code` and `param` are OpenAI's; `detail` is the whole document of a gateway that answers in its place.
    """

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    keeps_limit_headers: bool = True
    code: str = ""
    param: str = ""
    detail: str = ""


# Of Anthropic: quoted in issue reports and in https://code.claude.com/docs/en/errors; the status says the type.
SIGNATURES: Mapping[SignatureName, Signature] = {
    "claude_code_only": Signature(
        400,
        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
    ),
    "extra_usage": Signature(
        400, "Third-party apps now draw from your extra usage, not your plan limits. Add extra usage to continue."
    ),
    "oauth_not_supported": Signature(401, "OAuth authentication is currently not supported."),
    "org_not_allowed": Signature(403, "OAuth authentication is currently not allowed for this organization."),
    "token_expired": Signature(
        401, "OAuth token has expired. Please obtain a new token or refresh your existing token."
    ),
    "invalid_credentials": Signature(401, "Invalid authentication credentials"),
    "token_revoked": Signature(403, "OAuth token has been revoked. Please obtain a new token."),
    "member_removed": Signature(
        403, "Account is no longer a member of the organization associated with this token."
    ),
    "scope": Signature(403, "OAuth token does not meet scope requirement user:profile"),
    "rate_limited": Signature(
        429,
        "This request would exceed your account's rate limit. Please try again later.",
        {"retry-after": "1", "anthropic-ratelimit-unified-status": "rejected"},
    ),
    "entitlement_gate": Signature(429, "Error", keeps_limit_headers=False),
    "credit_balance": Signature(
        400, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
    ),
    # Of OpenAI's plans; the codes are from their page "Errors and recovery", the sentences are the sandbox's own.
    "plan_limit": Signature(429, "The plan's limit is reached.", code=f"{_SHARING}_usage_limit_exceeded"),
    "plan_not_eligible": Signature(403, "This account is not eligible.", code=f"{_SHARING}_user_not_eligible"),
    "plan_unavailable": Signature(503, "The usage is unknown now.", code=f"{_SHARING}_usage_unavailable"),
    "plan_account_unavailable": Signature(503, "The account is unknown now.", code=f"{_SHARING}_user_unavailable"),
    "plan_unsupported": Signature(
        400, "This is not supported.", code=f"{_SHARING}_unsupported_capability", param="tools"
    ),
    "plan_route": Signature(403, "This address is not supported.", code=f"{_SHARING}_route_not_supported"),
    "plan_invalid_user": Signature(401, "The account can't be used.", code=f"{_SHARING}_invalid_user"),
    "plan_disconnected": Signature(
        401, "invalid_token", code="invalid_token", detail='{"detail": {"error_code": "invalid_token"}}'
    ),
}
SIGNATURE_NAMES: tuple[SignatureName, ...] = get_args(SignatureName)
_ANTHROPIC: Mapping[TokenTrouble, tuple[int, str]] = {
    "missing": (401, "x-api-key header is required"),
    "unknown": (401, "Invalid authentication credentials"),
    "expired": (401, SIGNATURES["token_expired"].message),
    "revoked": (403, SIGNATURES["token_revoked"].message),
    "scope": (403, "OAuth token does not meet scope requirement inference"),
}
_OPENAI: Mapping[TokenTrouble, tuple[int, str, str]] = {
    "missing": (401, "You didn't provide an API key.", "invalid_api_key"),
    "unknown": (401, "Incorrect API key provided.", "invalid_api_key"),
    "expired": (401, "Provided authentication token is expired. Please try signing in again.", "token_expired"),
    "revoked": (401, "Your authentication token has been invalidated.", "token_revoked"),
    "scope": (
        403,
        "You have insufficient permissions for this operation. Missing scopes: inference",
        "missing_scope",
    ),
}
_GEMINI_WORDS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential."
)
_CHALLENGES: Mapping[TokenTrouble, str] = {  # RFC 6750 §3
    "missing": "Bearer",
    "unknown": 'Bearer error="invalid_token"',
    "expired": 'Bearer error="invalid_token", error_description="The access token expired"',
    "revoked": 'Bearer error="invalid_token"',
    "scope": 'Bearer error="insufficient_scope", scope="inference"',
}


def refused_token(dialect: DialectName, trouble: TokenTrouble) -> Rejected:
    """Return the error of the dialect's provider for an invalid access token."""
    headers = {"www-authenticate": _CHALLENGES[trouble]}
    match dialect:
        case "anthropic":
            status, message = _ANTHROPIC[trouble]
            return Rejected(status, message, headers=headers)
        case "openai-chat" | "openai-responses":
            status, message, code = _OPENAI[trouble]
            return Rejected(status, message, error_code=code, headers=headers)
        case "gemini":
            if trouble == "scope":
                words = "Request had insufficient authentication scopes."
                return Rejected(403, words, error_code="ACCESS_TOKEN_SCOPE_INSUFFICIENT", headers=headers)
            reason = "ACCESS_TOKEN_EXPIRED" if trouble == "expired" else "CREDENTIALS_MISSING"
            return Rejected(401, _GEMINI_WORDS, error_code=reason, headers=headers)


def refused_as(name: SignatureName, *, param: str = "") -> Rejected:
    """Return the refusal; `param` is the part of the request that it is about."""
    signature = SIGNATURES[name]
    return Rejected(
        signature.status,
        signature.message,
        param=param or signature.param or None,
        error_code=signature.code or None,
        body=signature.detail or None,
        headers=signature.headers,
        keeps_limit_headers=signature.keeps_limit_headers,
    )
