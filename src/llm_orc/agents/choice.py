"""Which models an agent may use, in order: what it says itself, what its profile says, what that falls back to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from llm_orc.errors import SettingsError
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.catalog import PROVIDERS
from llm_orc.providers.request_options import limit_in
from llm_orc.settings.model import AuthMethodName

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.base import AgentSpec
    from llm_orc.settings.model import ModelProfile

NamedBy = Literal["ensemble", "user", "project", "nobody"]


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model with its parameters, as an agent, a profile or both name it. Holds no secret.

    `provider` None means: the best access there is; `model` None: the provider's default. `named_by` tells whose
    words name the provider: nobody's, where it is found, and `project` where a file does that is not trusted.
    """

    provider: str | None
    model: str | None
    named_by: NamedBy
    profile: str | None = None
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)
    json_output: bool = False
    timeout_s: float | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    api_key_file: str | None = None
    cost_per_token: float | None = None
    auth_method: AuthMethodName | None = None


def choose_models(
    spec: AgentSpec, profile_of: Callable[[str], ModelProfile], is_untrusted: Callable[[str], bool]
) -> tuple[ModelChoice, ...]:
    """Return the models that `spec` may use: its own, then its fallbacks in order. Raises `SettingsError`.

    `is_untrusted` tells of a setting's dotted key whether an untrusted project wrote it.
    """
    choices: list[ModelChoice] = []
    name, fallback = spec.model.profile, spec.fallback_model_profile
    if name is None:
        choices.append(_own_choice(spec))
        name, fallback = fallback, None
    seen: set[str] = set()
    chained_by_project = False
    while name is not None and name not in seen:
        seen.add(name)
        profile = profile_of(name)
        choice = _from_profile(spec, profile, is_untrusted)
        choices.append(replace(choice, named_by="project") if chained_by_project else choice)
        if fallback is None and profile.fallback_model_profile is not None:
            chained_by_project = is_untrusted(f"model_profiles.{name}.fallback_model_profile")
        name, fallback = fallback or profile.fallback_model_profile, None
    return tuple(choices)


def _own_choice(spec: AgentSpec) -> ModelChoice:
    return ModelChoice(
        provider=spec.model.provider,
        model=spec.model.model,
        named_by="ensemble",
        system_prompt=spec.system_prompt,
        temperature=spec.temperature,
        max_tokens=spec.max_tokens or limit_in(spec.options),
        options=spec.options,
        json_output=spec.output_format == "json",
        timeout_s=spec.timeout_s,
        auth_method=spec.auth_method,
    )


def _from_profile(spec: AgentSpec, profile: ModelProfile, is_untrusted: Callable[[str], bool]) -> ModelChoice:
    """What the agent says itself wins over the profile."""
    provider, model = profile.provider, profile.model
    if provider is None and model in PROVIDERS:  # the oldest form, where the model is a provider's name
        provider, model = model, None
    if provider is None and model is not None:
        raise SettingsError(
            f"profile `{profile.name}` ({profile.origin}) names the model `{model}` and no provider",
            hint=f"Add `provider:` beside it, one of: {', '.join(PROVIDERS)}.",
        )
    named_by: NamedBy = "user"
    if provider is None:
        named_by = "nobody"
    elif any(is_untrusted(f"model_profiles.{profile.name}.{key}") for key in ("provider", "model", "auth_method")):
        named_by = "project"
    own = _own_choice(spec)
    return replace(
        own,
        provider=provider,
        model=model,
        named_by=named_by,
        profile=profile.name,
        system_prompt=spec.system_prompt if spec.system_prompt is not None else profile.system_prompt,
        temperature=spec.temperature if spec.temperature is not None else profile.temperature,
        max_tokens=own.max_tokens or profile.max_tokens or limit_in(profile.options),
        options={**profile.options, **spec.options},
        timeout_s=spec.timeout_s or profile.timeout_s,
        base_url=profile.base_url,
        api_key_env=profile.api_key_env,
        api_key_file=None if profile.api_key_file is None else str(profile.api_key_file),
        cost_per_token=profile.cost_per_token,
        auth_method=spec.auth_method or profile.auth_method,
    )
