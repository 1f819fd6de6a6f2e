"""The models that an agent may use, in order: its own, its profile's, and the fallbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal

from llm_orc.catalog.table import PROVIDERS
from llm_orc.dataclass import dataclass
from llm_orc.errors import SettingsError
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.options.request import limit_in
from llm_orc.settings.model import AuthMethodName

if TYPE_CHECKING:
    from llm_orc.agents.work import ModelWork
    from llm_orc.settings.model import ModelProfile

NamedBy = Literal["ensemble", "user", "project", "nobody"]
DEFAULT_PROFILE = "default"  # for agents that name no model; naming it is the same as naming none
_LONGEST_UNASKED = 8192  # tokens: the longest answer that is requested if no limit is set


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model that a user names for a run, in place of the one in the files.

    `text` is what they gave, and `by` what they gave it with: `--model`, or the variable `LLM_ORC_MODEL`.
    `is_standing`: it is set for every run, and not given for this one.
    """

    text: str
    by: str
    is_standing: bool = False


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model with its parameters, as an agent, a profile or both name it. Holds no secret.

    `provider` None: the best access found, or for a bare name that of the model; `model` None: the provider's
    default. `named_by` says who named it:
    nobody, if it was only found, and `project` if any part of it is in an untrusted file, which is then
    `named_in`. Nothing in such a file is consent to pay. `instead` is what a user named in place of the files'.
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
    named_in: str | None = None
    instead: NamedModel | None = None
    calls_tools: bool = False  # the agent has tools, so a way in that can't call them is none

    @property
    def is_bare(self) -> bool:
        """True for a model that its user named alone, and whose provider has not been found yet."""
        return (
            self.provider is None and self.named_by == "nobody" and self.profile is None and self.model is not None
        )


@dataclass(frozen=True, slots=True)
class Untrusted:
    """Which values about models are an untrusted project's: settings, by dotted key, and the ensemble's.

    `setting` returns the origin of an untrusted one; `ensemble` is the untrusted file of the ensemble; else None.
    """

    setting: Callable[[str], str | None] = lambda _key: None
    ensemble: str | None = None


def choose_models(
    work: ModelWork,
    timeout_s: float | None,
    profile_of: Callable[[str], ModelProfile],
    untrusted: Untrusted,
) -> tuple[ModelChoice, ...]:
    """Return the models that `work` may use: its own, then its fallbacks in order. Raises `SettingsError`.

    `timeout_s` is the time limit of its agent; None: the profile's.
    """
    chooser = _Chooser(work, timeout_s, untrusted)
    name, fallback = work.model.profile, work.fallback_model_profile
    model_named_in = None if work.model.is_typed else untrusted.ensemble
    if name is None:
        chooser.add(_own_choice(work, timeout_s), model_named_in)
        name, fallback = fallback, None
        chooser.led_by(untrusted.ensemble)
    elif name != DEFAULT_PROFILE:
        chooser.led_by(model_named_in)
    seen: set[str] = set()
    while name is not None and name not in seen:
        seen.add(name)
        profile = profile_of(name)
        chooser.add_profile(profile)
        if fallback is not None:
            chooser.led_by(untrusted.ensemble)
        elif profile.fallback_model_profile is not None:
            chooser.led_by(untrusted.setting(f"model_profiles.{name}.fallback_model_profile"))
        name, fallback = fallback or profile.fallback_model_profile, None
    return tuple(replace(one, calls_tools=bool(work.tools)) for one in chooser.choices)


class _Chooser:
    """Collects the choices of one agent. Everything that an untrusted value leads to is untrusted."""

    def __init__(self, work: ModelWork, timeout_s: float | None, untrusted: Untrusted) -> None:
        self.choices: list[ModelChoice] = []
        self._work, self._timeout_s, self._untrusted = work, timeout_s, untrusted
        self._led_by = untrusted.ensemble if work.auth_method is not None else None

    def led_by(self, file: str | None) -> None:
        self._led_by = self._led_by or file

    def add(self, choice: ModelChoice, named_in: str | None) -> None:
        """`named_in` is the untrusted place that names its model; else what led to it is named."""
        named_in = named_in or self._led_by
        if named_in is not None:
            choice = replace(choice, named_by="project", named_in=named_in)
        self.choices.append(choice)

    def add_profile(self, profile: ModelProfile) -> None:
        entry = f"model_profiles.{profile.name}"
        places = (self._untrusted.setting(f"{entry}.{key}") for key in ("provider", "model", "auth_method"))
        work, timeout_s = self._work, self._timeout_s
        if self._untrusted.ensemble is not None:
            work = _shortened(work, profile, is_users=self._untrusted.setting(entry) is None)
            timeout_s = min((t for t in (timeout_s, profile.timeout_s) if t is not None), default=None)
        choice = _from_profile(work, timeout_s, profile)
        self.add(choice, next((place for place in places if place is not None), None))


def _shortened(work: ModelWork, profile: ModelProfile, *, is_users: bool) -> ModelWork:
    """An untrusted ensemble may shorten answers compared with the profile, but not lengthen them.

    If the user's profile sets no `max_tokens`, the limit is the one that is sent without it.
    """
    most = profile.max_tokens or (_LONGEST_UNASKED if is_users else None)
    longest = None if work.max_tokens is None or most is None or work.max_tokens > most else work.max_tokens
    return replace(work, max_tokens=work.max_tokens if most is None else longest)


def _own_choice(work: ModelWork, timeout_s: float | None) -> ModelChoice:
    return ModelChoice(
        provider=work.model.provider,
        model=work.model.model,
        named_by="nobody" if work.model.is_typed and work.model.provider is None else "ensemble",
        system_prompt=work.system_prompt,
        temperature=work.temperature,
        max_tokens=work.max_tokens or limit_in(work.options),
        options=work.options,
        json_output=work.output_format == "json",
        timeout_s=timeout_s,
        auth_method=work.auth_method,
    )


def _from_profile(work: ModelWork, timeout_s: float | None, profile: ModelProfile) -> ModelChoice:
    """The agent's own values override the profile's."""
    provider, model = profile.provider, profile.model
    if provider is None and model in PROVIDERS:  # the oldest form, in which the model is a provider's name
        provider, model = model, None
    if provider is None and model is not None:
        raise SettingsError(
            f"profile `{profile.name}` ({profile.origin}) names the model `{model}` and no provider",
            hint=f"Add `provider:` beside it, one of: {', '.join(PROVIDERS)}.",
        )
    own = _own_choice(work, timeout_s)
    return replace(
        own,
        provider=provider,
        model=model,
        named_by="nobody" if provider is None else "user",
        profile=profile.name,
        system_prompt=work.system_prompt if work.system_prompt is not None else profile.system_prompt,
        temperature=work.temperature if work.temperature is not None else profile.temperature,
        max_tokens=own.max_tokens or profile.max_tokens or limit_in(profile.options),
        options={**profile.options, **work.options},
        timeout_s=timeout_s or profile.timeout_s,
        base_url=profile.base_url,
        api_key_env=profile.api_key_env,
        api_key_file=None if profile.api_key_file is None else str(profile.api_key_file),
        cost_per_token=profile.cost_per_token,
        auth_method=work.auth_method or profile.auth_method,
    )
