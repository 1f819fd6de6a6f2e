"""Failures that `copilot` reports, as typed errors: by their status and kind if told, else by their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import (
    ContentRefused,
    ModelNotFound,
    PromptTooLarge,
    ProviderOverloaded,
    ProviderUnreachable,
    RequestRejected,
)
from llm_orc.net.text import one_line
from llm_orc.providers.limits.plan_limit import limit_of_plan
from llm_orc.providers.official_cli.copilot.login import not_logged_in
from llm_orc.providers.official_cli.lines import number_in, text_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.catalog.rows import OfficialCliRow
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.lines import Fields


class _Told:
    """What it told: `kind` is its own word for the failure, `lower` its sentence in lower case."""

    def __init__(self, target: Target, row: OfficialCliRow, status: int, kind: str, said: str) -> None:
        self.target, self.row = target, row
        self.status, self.kind, self.said = status, kind.lower(), said
        self.lower = said.lower()

    def says(self, *signs: str) -> bool:
        return any(sign in self.lower for sign in signs)


def failure_of(target: Target, row: OfficialCliRow, error: Fields) -> LlmOrcError:
    """Return what a `session.error`, a `model.call_failure` or the error of an answer means."""
    status = int(number_in(error, "statusCode") or 0)
    kind = " ".join(text_in(error, key) for key in ("errorType", "errorCode") if text_in(error, key))
    said = one_line(text_in(error, "message") or text_in(error, "errorMessage")) or "no reason given"
    told = _Told(target, row, status, kind, said)
    return next((make for fits, make in _FAILURES if fits(told)), _failed)(told)


def _logged_out(told: _Told) -> LlmOrcError:
    return not_logged_in(told.row, told.said)


def _unreachable(told: _Told) -> LlmOrcError:
    return ProviderUnreachable(
        f"{told.target} can't be reached: {told.said}",
        hint="Check the network, and your proxy.",
        provider_message=told.said,
    )


def _limited(told: _Told) -> LlmOrcError:
    return limit_of_plan(told.target, told.said, None)


def _too_large(told: _Told) -> LlmOrcError:
    return PromptTooLarge(
        f"the prompt is too large for {told.target}: {told.said}",
        hint="Shorten the input, or use a model with a larger context.",
        status=told.status,
        provider_message=told.said,
    )


def _no_model(told: _Told) -> LlmOrcError:
    return ModelNotFound(
        f"{told.target} does not know this model: {told.said}",
        hint="Check the spelling of `model`, and whether your plan includes it.",
        status=told.status,
        provider_message=told.said,
    )


def _refused(told: _Told) -> LlmOrcError:
    return ContentRefused(f"{told.target} refused to answer: {told.said}", hint="Reword the prompt.")


def _rejected(told: _Told) -> LlmOrcError:
    return RequestRejected(
        f"{told.target} rejected the request: {told.said}", status=told.status, provider_message=told.said
    )


def _failed(told: _Told) -> LlmOrcError:
    return ProviderOverloaded(f"{told.target} failed: {told.said}", status=told.status, provider_message=told.said)


_Make = tuple["Callable[[_Told], bool]", "Callable[[_Told], LlmOrcError]"]
# The first that fits. Network comes first: it reports a failed look at GitHub as a failed authentication, too.
_FAILURES: tuple[_Make, ...] = (
    (lambda told: told.says("network fetch failed", "error sending request", "connection refused"), _unreachable),
    (
        lambda told: (
            told.status in {402, 429}
            or "quota" in told.kind
            or "rate_limit" in told.kind
            or told.says("quota exceeded", "rate limit", "usage limit", "out of credits")
        ),
        _limited,
    ),
    (
        lambda told: (
            told.status == 401
            or "authentication" in told.kind
            or told.says("no github oauth token", "not authenticated", "authentication failed")
        ),
        _logged_out,
    ),
    (lambda told: "context_limit" in told.kind or told.says("prompt budget", "context length"), _too_large),
    (
        lambda told: told.says("model") and (told.status == 404 or told.says("not available", "not supported")),
        _no_model,
    ),
    (lambda told: "content_filter" in told.kind, _refused),
    (lambda told: told.status in {400, 403, 404, 413, 422} or "authorization" in told.kind, _rejected),
)
