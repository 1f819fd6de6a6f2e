"""Models that a user names for one run, in place of those in the ensemble's file.

What was given with the command, or with the call of the library, comes before an environment variable, that before
the user's own config.yaml, and that before the ensemble and its profiles. A project's files can name none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import NamedModel
from llm_orc.agents.work import ModelRef
from llm_orc.catalog.not_offered import not_offered
from llm_orc.catalog.table import PROVIDERS
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, SettingsError
from llm_orc.providers.unknown import why_unknown
from llm_orc.settings.fields import field_at
from llm_orc.settings.profiles import find_profile
from llm_orc.storage.suggest import did_you_mean, slip_of

if TYPE_CHECKING:
    from llm_orc.agents.work import ModelWork
    from llm_orc.settings.model import Settings

_MODEL_NAME = re.compile(r"[\w.:@+~/-]{1,200}")
_LAYERS = ("packaged", "user", "project", "environment", "flag")  # each overrides those before it


@dataclass(frozen=True, slots=True)
class NamedModels:
    """What was named with a command. `model` may be a profile, a provider, `PROVIDER/MODEL` or the name
    of a model alone; `profile` only a profile.

    Both are for all agents that ask a model, and exclude each other. `agents` are for one agent each, by its name
    (of an agent within others, its path), and come before the others.
    """

    model: NamedModel | None = None
    profile: NamedModel | None = None
    agents: Mapping[str, NamedModel] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.model is not None or self.profile is not None or bool(self.agents)


NONE_NAMED = NamedModels()


def named_model(settings: Settings, text: str) -> ModelRef:
    """Return the model that `text` names: a profile, a provider, `PROVIDER/MODEL`, or a model by its name alone.

    Of the last, the provider is found with its access: `app.access.bare_names`. A name that may be a misspelt
    profile or provider is none, unless `/` stands before it. Raises `SettingsError` with the closest names.
    """
    found = remembered_model(settings, text)
    if found is not None:
        return found
    first, slash, rest = text.partition("/")
    known = [*settings.profiles, *sorted({*PROVIDERS, *settings.providers})]
    is_name = _MODEL_NAME.fullmatch(text) and first and bool(rest) == bool(slash)
    slip = slip_of(first, known)
    if is_name and slip is None and not_offered(first) is None:
        return ModelRef(model=text)
    raise unknown_model(settings, text, misspelt=f"`{slip}{slash}{rest}`" if slip else None)


def remembered_model(settings: Settings, text: str) -> ModelRef | None:
    """Return what `text`, as `to_remember` returned it, names; None: its profile or provider is there no more."""
    if text.startswith("/") and _MODEL_NAME.fullmatch(text[1:]):
        return ModelRef(model=text[1:])
    return listed_model(settings, text)


def to_remember(settings: Settings, text: str) -> str:
    """Return the name of a model, with `/` before it if it is a model's alone: so it never is a lost profile's.

    Raises `SettingsError` as `named_model`.
    """
    named_model(settings, text)
    return text if remembered_model(settings, text) is not None else f"/{text}"


def listed_model(settings: Settings, text: str) -> ModelRef | None:
    """Return what `text` names, if it begins with a profile or a provider that there is; else None."""
    if text in settings.profiles or text in settings.broken_profiles:
        return ModelRef(profile=find_profile(settings, text).name)
    providers = {*PROVIDERS, *settings.providers}
    if text in providers:
        return ModelRef(provider=text)
    provider, slash, model = text.partition("/")
    if slash and model and provider in providers:
        return ModelRef(provider=provider, model=model)
    return None


def unknown_model(settings: Settings, text: str, *, misspelt: str | None = None) -> SettingsError:
    """Return the error for a name that is neither a profile nor begins with a provider, with the closest names."""
    first, slash, _ = text.partition("/")
    near = did_you_mean(first if slash else text, [*settings.profiles, *sorted({*PROVIDERS, *settings.providers})])
    near = f"Did you mean {misspelt}?" if misspelt else near
    return SettingsError(
        f"`{text}` is neither a model profile nor a provider{why_unknown(first)}",
        hint=f"{near} A model of another name is `PROVIDER/{text}`."
        if near and slash == ""
        else near or "Name a profile (`llm-orc list-profiles`), a provider, or `PROVIDER/MODEL`.",
    )


def with_named_model(work: ModelWork, model: ModelRef) -> ModelWork:
    """Return the work with this model, which the user has named: no fallbacks but those of its profile."""
    return replace(work, model=replace(model, is_typed=True), fallback_model_profile=None, auth_method=None)


class Replacing:
    """The models that take the place of the ensemble's, looked up once for all its agents.

    Raises `InputError` for an agent that there is not, `SettingsError` and `ProfileNotFound` for a model.
    """

    def __init__(self, settings: Settings, named: NamedModels, agents: Iterable[str], ensemble: str) -> None:
        self._settings = settings
        asking = list(agents)
        _refuse_unknown_agents(named, asking, ensemble)
        self._of_agent = {name: (one, self._found(one, only_profiles=False)) for name, one in named.agents.items()}
        given = named.profile or named.model
        only_profiles = named.profile is not None
        if given is None:
            given, only_profiles = _in_settings(settings)
        self._of_all = None
        if given is not None and asking:
            self._of_all = (given, self._found(given, only_profiles=only_profiles))

    def replaced(self, agent: str, work: ModelWork) -> tuple[ModelWork, NamedModel | None]:
        """Return the agent's work with the model named for it, and how it was named; None: nothing was.

        The agent keeps its role, also one that is its profile's.
        """
        found = self._of_agent.get(agent) or self._of_all
        if found is None:
            return work, None
        named, model = found
        if work.model.is_typed and named.is_standing:  # it was named for this very agent, in a chat
            return work, None
        before = self._settings.profiles.get(work.model.profile or "")
        if work.system_prompt is None and before is not None:
            work = replace(work, system_prompt=before.system_prompt)
        return with_named_model(work, model), named

    def _found(self, named: NamedModel, *, only_profiles: bool) -> ModelRef:
        try:
            if only_profiles:
                return ModelRef(profile=find_profile(self._settings, named.text).name)
            return named_model(self._settings, named.text)
        except SettingsError as e:
            e.message = f"{named.by}: {e.message}"
            raise


def _refuse_unknown_agents(named: NamedModels, asking: list[str], ensemble: str) -> None:
    if named and not asking:
        raise InputError(f"no agent of `{ensemble}` asks a model, so there is none to replace")
    for name in named.agents:
        if name not in asking:
            raise InputError(
                f"`{ensemble}` has no agent `{name}` that asks a model",
                hint=did_you_mean(name, asking) or f"Its agents with a model: {', '.join(asking)}.",
            )


def _in_settings(settings: Settings) -> tuple[NamedModel | None, bool]:
    """Return the model that a variable or the user's file names, and whether it can only be a profile."""
    model, profile = settings.runs.model, settings.runs.profile
    if model is not None and profile is not None:
        first, second = (_LAYERS.index(settings.origins[f"runs.{key}"].layer) for key in ("model", "profile"))
        if first == second:
            raise SettingsError(
                f"{_by(settings, 'model')} and {_by(settings, 'profile')} both name the model of every agent",
                hint="Keep one of them.",
            )
        model, profile = (model, None) if first > second else (None, profile)
    if profile is not None:
        return NamedModel(profile, _by(settings, "profile"), is_standing=True), True
    return (None if model is None else NamedModel(model, _by(settings, "model"), is_standing=True)), False


def _by(settings: Settings, key: str) -> str:
    origin, row = settings.origins.get(f"runs.{key}"), field_at(("runs", key))
    if origin is not None and origin.layer == "environment" and row is not None and row.variable:
        return row.variable
    return f"`runs.{key}`" if origin is None else f"`runs.{key}` ({origin})"
