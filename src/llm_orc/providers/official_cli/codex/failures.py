"""Failures of `codex` calls as typed errors: it only reports a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.errors import (
    ModelNotFound,
    NotLoggedIn,
    ProviderOverloaded,
    ProviderUnreachable,
    ReplyCut,
    RequestRejected,
)
from llm_orc.net.text import one_line
from llm_orc.providers.limits.plan_limit import limit_of_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target

_STATUS = re.compile(r"\bstatus:? (\d{3})\b")


def failure_of(target: Target, sentence: str) -> LlmOrcError:
    """Return the error for the `sentence` that it would show a person."""
    said, lower = one_line(sentence), sentence.lower()
    found = _STATUS.search(lower)
    status = int(found[1]) if found else 0
    make = next((make for fits, make in _FAILURES if fits(status, lower)), _overloaded)
    return make(target, said, status)


def _says(*signs: str) -> Callable[[int, str], bool]:
    return lambda _status, lower: any(sign in lower for sign in signs)


def _logged_out(_target: Target, said: str, _status: int) -> LlmOrcError:
    return NotLoggedIn(f"`codex` is not logged in: {said}", hint="codex login")


def _limited(target: Target, said: str, _status: int) -> LlmOrcError:
    return limit_of_plan(target, said, None)


def _no_model(target: Target, said: str, status: int) -> LlmOrcError:
    return ModelNotFound(
        f"{target} does not know this model: {said}",
        hint="Check the spelling of `model`, and whether your plan includes it.",
        status=status,
        provider_message=said,
    )


def _rejected(target: Target, said: str, status: int) -> LlmOrcError:
    return RequestRejected(f"{target} rejected the request: {said}", status=status, provider_message=said)


def _broke_off(target: Target, said: str, _status: int) -> LlmOrcError:
    error = ReplyCut(f"the answer of {target} broke off: {said}", hint="Request less at once.")
    error.would_again = True
    return error


def _unreachable(target: Target, said: str, _status: int) -> LlmOrcError:
    return ProviderUnreachable(
        f"{target} can't be reached: {said}", hint="Check the network, and your proxy.", provider_message=said
    )


def _overloaded(target: Target, said: str, status: int) -> LlmOrcError:
    return ProviderOverloaded(f"{target} failed: {said}", status=status, provider_message=said)


_FAILURES: tuple[tuple[Callable[[int, str], bool], Callable[[Target, str, int], LlmOrcError]], ...] = (
    (lambda status, lower: status == 401 or "refresh_token" in lower or "log in" in lower, _logged_out),
    (lambda status, lower: status == 429 or "usage limit" in lower or "rate limit" in lower, _limited),
    (lambda status, lower: status == 404 and "model" in lower, _no_model),
    (lambda status, _lower: status in {400, 422}, _rejected),
    (_says("incomplete response"), _broke_off),
    (
        _says("error sending request", "failed to connect", "connection refused", "dns error", "timed out"),
        _unreachable,
    ),
)
