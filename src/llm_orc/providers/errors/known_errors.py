"""Errors with a code that the provider's row explains (`CallRules.errors`): this decides, not the status."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, assert_never

from llm_orc.catalog.table import supported_way
from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    AccessRefused,
    CredentialRefused,
    LlmOrcError,
    PlanLimitReached,
    ProviderOverloaded,
    RequestRejected,
)
from llm_orc.providers.base import Target

if TYPE_CHECKING:
    from llm_orc.catalog.call_rules import ErrorMeaning

_FARTHEST_RESET_S = 366 * 24 * 3600.0  # no plan resets later
_STATUSES: dict[ErrorMeaning, int] = {
    "plan-limit": 429,
    "not-eligible": 403,
    "unavailable": 503,
    "unsupported": 400,
    "wrong-address": 403,
    "sign-in": 401,
}


@dataclass(frozen=True, slots=True)
class KnownError:
    """What the provider said. `wait_s` is the pause that it asks for, `param` the part of the request it names."""

    target: Target
    message: str
    param: str = ""
    wait_s: float | None = None
    key_hint: str = ""  # what to do about a refused credential
    credential: str = "credential"  # describes the one that was sent


def known_error(meaning: ErrorMeaning, said: KnownError) -> LlmOrcError:
    """Return the error for a code of this meaning, which may have come in a stream, where there is no status."""
    status = _STATUSES[meaning]
    match meaning:
        case "plan-limit":
            return _plan_limit(said, status)
        case "not-eligible":
            return _not_eligible(said, status)
        case "unavailable":
            return ProviderOverloaded(
                f"{said.target} can't use the plan now (status {status}){_words(said)}",
                hint="Try again later, or set a `fallback_model_profile`.",
                status=status,
                provider_message=said.message,
                retry_after_s=said.wait_s,
            )
        case "unsupported":
            return _unsupported(said, status)
        case "wrong-address":
            return RequestRejected(
                f"{said.target} does not offer this address with the {said.credential} (status {status})"
                f"{_words(said)}",
                hint=f"Check `providers.{said.target.provider}`: its `base_url` and `dialect`.",
                status=status,
                provider_message=said.message,
            )
        case "sign-in":
            return CredentialRefused(
                f"{said.target} refused the {said.credential} (status {status}){_words(said)}",
                hint=said.key_hint or f"llm-orc auth add {said.target.provider}",
                status=status,
                provider_message=said.message,
            )
        case _:
            assert_never(meaning)


def manage_usage(usage_page: str) -> str:
    """Return the sentence with the page where a plan's user sees and limits what it pays; empty without a page."""
    return f"Manage usage: {usage_page}." if usage_page else ""


def _words(said: KnownError) -> str:
    return f": {said.message}" if said.message else ""


def _plan_limit(said: KnownError, status: int) -> LlmOrcError:
    is_told = said.wait_s is not None and said.wait_s <= _FARTHEST_RESET_S
    resets_at = time.time() + said.wait_s if is_told and said.wait_s is not None else None
    until = "" if resets_at is None else time.strftime("; it resets at %Y-%m-%d %H:%M UTC", time.gmtime(resets_at))
    ways = "Wait for it with `--wait-for-plan`, or set a `fallback_model_profile`."
    return PlanLimitReached(
        f"{said.target}: a limit of the plan is reached{_words(said)}{until}",
        hint=f"{manage_usage(said.target.calls.usage_page)} {ways}".strip(),
        status=status,
        provider_message=said.message,
        retry_after_s=said.wait_s if is_told else None,
        resets_at=resets_at,
    )


def _not_eligible(said: KnownError, status: int) -> LlmOrcError:
    """A new sign-in is no remedy, so no hint leads to one."""
    provider, page = said.target.provider, said.target.calls.usage_page
    sentences = (
        "Signing in again changes nothing.",
        manage_usage(page),
        supported_way(provider),
        f"It is not called again before `llm-orc auth test {provider}` tries it.",
    )
    return AccessRefused(
        f"{said.target} does not let this account use its plan here (status {status}){_words(said)}",
        hint=" ".join(filter(None, sentences)),
        signature="not-eligible",
        status=status,
        provider_message=said.message,
    )


def _unsupported(said: KnownError, status: int) -> LlmOrcError:
    part = f"`{said.param}`" if said.param else "a part of the request"
    return RequestRejected(
        f"{said.target} does not support {part} (status {status}){_words(said)}",
        hint="If the agent's `options` have it, remove it there. If not, llm-orc should not have sent it:"
        " please report it.",
        status=status,
        provider_message=said.message,
    )
