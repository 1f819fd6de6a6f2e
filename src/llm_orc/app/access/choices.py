"""The models that each agent of an ensemble may use, according to the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.choice import Untrusted, choose_models
from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.agents.path import model_key
from llm_orc.settings.profiles import find_profile

if TYPE_CHECKING:
    from llm_orc.agents.choice import ModelChoice
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.settings.model import Settings


def choices_of(ensemble: Ensemble, settings: Settings) -> dict[str, tuple[ModelChoice, ...]]:
    """Return the choices of all agents that need a model, by `agents.path.model_key`.

    Raises `ProfileNotFound`, `SettingsError`.
    """

    untrusted = untrusted_words(ensemble, settings)
    return {
        model_key(path, number): choose_models(
            work, spec.timeout_s, lambda name: find_profile(settings, name), untrusted
        )
        for path, spec in all_agents(ensemble)
        for number, work in enumerate(needs_of(spec.work).models)
    }


def untrusted_words(ensemble: Ensemble, settings: Settings) -> Untrusted:
    """Return which values of `ensemble` and `settings` are in files that the user has not trusted."""

    def place_of(key: str) -> str | None:
        origin = settings.origins.get(key)
        trusted = settings.project is None or settings.project.trusted
        return None if trusted or origin is None or origin.layer != "project" else str(origin)

    source = ensemble.source
    return Untrusted(place_of, None if source is None or source.is_users else source.path)
