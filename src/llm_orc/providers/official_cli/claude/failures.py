"""Failures of `claude` calls as typed errors: recognized by status and error word first, by text last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    AccessRefused,
    ModelNotFound,
    NotLoggedIn,
    PromptTooLarge,
    ProviderOverloaded,
    ReplyCut,
    RequestRejected,
)
from llm_orc.providers.limits.plan_limit import limit_of_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target

_Cause = Literal[
    "refreshing", "on_hold", "refused", "logged_out", "limited", "too_large", "no_model", "rejected", "down", "cut"
]
_ELSEWHERE = "See how it is logged in with `claude auth status`. An API key of `anthropic-api` is metered."
_REFRESH_WAIT_S = 60.0


_CAUSES: tuple[tuple[_Cause, Callable[[int, str, str], bool]], ...] = (
    ("refreshing", lambda _status, _word, said: "another claude code process is refreshing" in said),
    ("on_hold", lambda _status, word, _said: word == "account_on_hold"),
    (
        "refused",
        lambda status, word, _said: status in {402, 403} or word in {"oauth_org_not_allowed", "billing_error"},
    ),
    (
        "logged_out",
        lambda status, word, said: status == 401 or word == "authentication_failed" or "not logged in" in said,
    ),
    ("limited", lambda status, word, _said: status == 429 or word == "rate_limit"),
    ("too_large", lambda status, _word, said: status == 413 or "prompt is too long" in said),
    ("no_model", lambda status, word, _said: status == 404 or word == "model_not_found"),
    ("rejected", lambda status, word, _said: 400 <= status < 500 or word == "invalid_request"),
    ("down", lambda status, word, _said: status > 0 or word in {"server_error", "overloaded"}),
)


@dataclass(frozen=True, slots=True)
class PlanLimit:
    """What the program said of a plan's limit. `resets_at` is in Unix seconds; None: it said nothing."""

    resets_at: float | None = None
    is_of_model: bool = False


def failure_of(target: Target, status: int, word: str, sentence: str, limit: PlanLimit) -> LlmOrcError:
    """Return the error. `word` is the program's `error`; `sentence` its message for people, on one line.

    `status` 0: none came.
    """
    cause: _Cause = next((cause for cause, fits in _CAUSES if fits(status, word, sentence.lower())), "cut")
    return _FAILURES[cause](_Said(target, status, word, sentence, limit))


class _Said:
    def __init__(self, target: Target, status: int, word: str, sentence: str, limit: PlanLimit) -> None:
        self.target, self.status, self.word, self.sentence = target, status, word, sentence
        self.limit = limit

    def message(self, what: str) -> str:
        return what + (f": {self.sentence}" if self.sentence else "")


def _refreshing(said: _Said) -> LlmOrcError:
    message = said.message("another `claude` is refreshing the login")
    return ProviderOverloaded(message, status=said.status, retry_after_s=_REFRESH_WAIT_S)


def _on_hold(said: _Said) -> LlmOrcError:
    message = said.message(f"{said.target}: the account is on hold")
    return AccessRefused(message, signature="account_on_hold", provider_message=said.sentence)


def _refused(said: _Said) -> LlmOrcError:
    return AccessRefused(
        said.message(f"{said.target} refuses this auth method"),
        hint=_ELSEWHERE,
        signature=said.word or "forbidden",
        status=said.status,
        provider_message=said.sentence,
    )


def _logged_out(said: _Said) -> LlmOrcError:
    return NotLoggedIn(said.message("`claude` is not logged in"), hint="claude auth login")


def _limited(said: _Said) -> LlmOrcError:
    return limit_of_plan(said.target, said.sentence, said.limit.resets_at, is_of_model=said.limit.is_of_model)


def _too_large(said: _Said) -> LlmOrcError:
    return PromptTooLarge(
        said.message(f"{said.target} can't accept such a long prompt"),
        hint="Shorten the input, or use a model with a larger context.",
        status=said.status,
        provider_message=said.sentence,
    )


def _no_model(said: _Said) -> LlmOrcError:
    return ModelNotFound(
        said.message(f"{said.target} does not know this model"),
        hint="Check the spelling of `model`, and whether your plan includes it.",
        status=said.status,
        provider_message=said.sentence,
    )


def _rejected(said: _Said) -> LlmOrcError:
    message = said.message(f"{said.target} rejected the request")
    return RequestRejected(message, status=said.status, provider_message=said.sentence)


def _down(said: _Said) -> LlmOrcError:
    message = said.message(f"{said.target} is overloaded or out of service")
    return ProviderOverloaded(message, status=said.status, provider_message=said.sentence)


def _cut(said: _Said) -> LlmOrcError:
    message = said.message(f"{said.target} returned no complete answer")
    return ReplyCut(message, hint="Run it again.", provider_message=said.sentence)


_FAILURES: dict[_Cause, Callable[[_Said], LlmOrcError]] = {
    "refreshing": _refreshing,
    "on_hold": _on_hold,
    "refused": _refused,
    "logged_out": _logged_out,
    "limited": _limited,
    "too_large": _too_large,
    "no_model": _no_model,
    "rejected": _rejected,
    "down": _down,
    "cut": _cut,
}
