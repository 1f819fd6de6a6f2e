"""Which models each agent of an ensemble may use, as the settings have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.choice import choose_models
from llm_orc.settings.profiles import find_profile

if TYPE_CHECKING:
    from llm_orc.agents.choice import ModelChoice
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.settings.model import Settings


def choices_of(ensemble: Ensemble, settings: Settings) -> dict[str, tuple[ModelChoice, ...]]:
    """Return the choices by agent. Raises `ProfileNotFound`, `SettingsError`."""

    def is_untrusted(key: str) -> bool:
        origin = settings.origins.get(key)
        trusted = settings.project is None or settings.project.trusted
        return origin is not None and origin.layer == "project" and not trusted

    return {
        spec.name: choose_models(spec, lambda name: find_profile(settings, name), is_untrusted)
        for spec in ensemble.agents
    }
