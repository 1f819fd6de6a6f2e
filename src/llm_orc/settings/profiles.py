"""Look a model profile up, and see that fallbacks lead somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import Problem, ProfileNotFound
from llm_orc.storage.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.settings.layer import SettingPath, Value
    from llm_orc.settings.model import ModelProfile, Settings

_FALLBACK = "fallback_model_profile"


def find_profile(settings: Settings, name: str) -> ModelProfile:
    """Return the profile of that name. Raises `ProfileNotFound` with the nearest ones."""
    profile = settings.profiles.get(name)
    if profile is not None:
        return profile
    question = did_you_mean(name, settings.profiles)
    raise ProfileNotFound(
        f"no model profile is called `{name}`",
        hint=question[:1].upper() + question[1:]
        if question
        else "See those there are with: llm-orc list-profiles",
    )


def fallback_problems(values: Mapping[SettingPath, Value]) -> list[Problem]:
    """Return a problem for each fallback to a profile that does not exist, and for each circle of fallbacks."""
    names = {path[1] for path in values if path[0] == "model_profiles"}
    fallback_of = {
        path[1]: value for path, value in values.items() if path[2:] == (_FALLBACK,) and value.value is not None
    }
    problems = [
        _at(v, f"profile `{name}` falls back to `{v.value}`, which does not exist", did_you_mean(v.value, names))
        for name, v in fallback_of.items()
        if v.value not in names
    ]
    return problems + _circles(fallback_of)


def _circles(fallback_of: Mapping[str, Value]) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    for start in fallback_of:
        way: dict[str, None] = {}
        name = start
        while name in fallback_of and name not in seen and name not in way:
            way[name] = None
            name = fallback_of[name].value
        if name in way:
            names = list(way)
            circle = [*names[names.index(name) :], name]
            shown = " → ".join(circle)
            problems.append(_at(fallback_of[circle[0]], f"profiles fall back in a circle: `{shown}`"))
        seen.update(way)
    return problems


def _at(value: Value, message: str, hint: str | None = None) -> Problem:
    return Problem(message, value.origin.file, value.origin.line, value.column, hint)
