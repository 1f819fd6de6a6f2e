"""The models that each agent of an ensemble may use, according to the settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import Untrusted, choose_models
from llm_orc.agents.kinds import agents_with_source, needs_of
from llm_orc.agents.named_models import NONE_NAMED, Replacing
from llm_orc.agents.path import model_key
from llm_orc.settings.profiles import find_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.agents.named_models import NamedModels
    from llm_orc.agents.spec import Source
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.settings.model import Settings


def choices_of(
    ensemble: Ensemble, settings: Settings, named: NamedModels = NONE_NAMED
) -> dict[str, tuple[ModelChoice, ...]]:
    """Return the choices of all agents that need a model, by `agents.path.model_key`.

    Models in `named` take the place of the ensemble's, and so do those that the settings name for every run.

    Raises `ProfileNotFound`, `SettingsError`, and `InputError` for a model that is named for an unknown agent.
    """
    return dict(_chosen(ensemble, settings, named, only_named=False))


def named_choices_of(
    ensemble: Ensemble, settings: Settings, named: NamedModels
) -> dict[str, tuple[ModelChoice, ...]]:
    """Return only the choices of the agents that `named` has a model for. Raises what `choices_of` raises."""
    return dict(_chosen(ensemble, settings, named, only_named=True))


def _chosen(
    ensemble: Ensemble, settings: Settings, named: NamedModels, *, only_named: bool
) -> Iterator[tuple[str, tuple[ModelChoice, ...]]]:
    agents = [one for one in agents_with_source(ensemble) if needs_of(one[1].work).models]
    replacing = Replacing(settings, named, [path for path, _, _ in agents], ensemble.name)
    for path, spec, source in agents:
        untrusted = untrusted_words(source, settings)
        for number, own in enumerate(needs_of(spec.work).models):
            work, instead = replacing.replaced(path, own)
            if only_named and (instead is None or instead.is_standing):
                continue
            found = choose_models(work, spec.timeout_s, lambda name: find_profile(settings, name), untrusted)
            yield model_key(path, number), tuple(replace(choice, instead=instead) for choice in found)


def untrusted_words(source: Source | None, settings: Settings) -> Untrusted:
    """Return which values of an ensemble from `source`, and of `settings`, the user has not trusted."""

    def place_of(key: str) -> str | None:
        origin = settings.origins.get(key)
        trusted = settings.project is None or settings.project.trusted
        return None if trusted or origin is None or origin.layer != "project" else str(origin)

    return Untrusted(place_of, None if source is None or source.is_users else source.path)
