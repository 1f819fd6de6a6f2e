"""Which ways in a choice of model may take, in order, and why: as named, else as preferred, else as is usual."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.providers.catalog import PROVIDERS
from llm_orc.settings.model import AuthMethodName, ProviderSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llm_orc.providers.catalog import ProviderSpec


@dataclass(frozen=True, slots=True)
class Option:
    """One way in. `method` None: whichever credential there is.

    `is_agreed`: its user has said, for this very provider, that it may bill.
    """

    choice: ModelChoice
    method: AuthMethodName | None
    why: str
    is_agreed: bool = False


def options_of(
    choice: ModelChoice,
    spec: ProviderSpec,
    settings: Mapping[str, ProviderSettings],
    *,
    has_sign_in: bool,
    allow_metered: bool,
) -> tuple[Option, ...]:
    """Return the ways, the preferred one first. `has_sign_in`: a sign-in at `spec` itself is stored.

    What bills per token in the place of a subscription is among them only where the user has allowed it.
    """
    own = settings.get(spec.name) or ProviderSettings(spec.name)
    if choice.auth_method is not None:
        by = f"profile `{choice.profile}`" if choice.profile else "the agent"
        return (
            _named(choice, spec, choice.auth_method, f"{by} names it", is_agreed=choice.named_by != "project"),
        )
    if own.auth_methods:
        why = f"`providers.{spec.name}.auth_method` puts it {{}}"
        options = [
            _named(choice, spec, name, why.format("first" if i == 0 else "next"), is_agreed=True)
            for i, name in enumerate(own.auth_methods)
        ]
    else:
        options = list(_usual(choice, spec, has_sign_in=has_sign_in))
    if (own.allow_metered_fallback or allow_metered) and "api-key" not in own.auth_methods:
        why = (
            f"`providers.{spec.name}.allow_metered_fallback`" if own.allow_metered_fallback else "--allow-metered"
        )
        options.extend(_sibling(choice, spec, f"{why} allows it when nothing else works"))
    return tuple(options)


def _usual(choice: ModelChoice, spec: ProviderSpec, *, has_sign_in: bool) -> Iterator[Option]:
    if spec.cli is None:
        yield Option(choice, None, "the agent names this provider" if choice.named_by == "ensemble" else "")
        return
    if has_sign_in:
        yield Option(choice, "oauth", "you signed in to it with `llm-orc auth add`")
    yield Option(choice, spec.cli, "it is the provider's own program, and the way that it supports")


def _named(choice: ModelChoice, spec: ProviderSpec, name: AuthMethodName, why: str, *, is_agreed: bool) -> Option:
    """A provider that sells no keys itself has them of its sibling."""
    if name == "api-key":
        for option in _sibling(choice, spec, why):
            return replace(option, is_agreed=is_agreed)
    return Option(choice, name, why, is_agreed=is_agreed)


def _sibling(choice: ModelChoice, spec: ProviderSpec, why: str) -> Iterator[Option]:
    if spec.metered_sibling is None:
        return
    sibling = PROVIDERS[spec.metered_sibling]
    # A program knows short names (`sonnet`) that the API does not.
    prefix = {"anthropic-api": "claude-"}.get(sibling.name, "")
    model = choice.model if choice.model is not None and prefix and choice.model.startswith(prefix) else None
    if sibling.name == "openai":
        model = choice.model
    yield Option(replace(choice, provider=sibling.name, model=model), "api-key", why, is_agreed=True)
