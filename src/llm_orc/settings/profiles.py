"""Look up model profiles, and check fallbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import Problem, ProfileNotFound, SettingsError
from llm_orc.errors.problem import count_of
from llm_orc.settings.model import ModelProfile, Origin
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.settings.fields import SettingPath
    from llm_orc.settings.layer import Value
    from llm_orc.settings.model import Settings

_FALLBACK = "fallback_model_profile"


def find_profile(settings: Settings, name: str) -> ModelProfile:
    """Return the profile of that name.

    Raises `ProfileNotFound` with the closest names, `SettingsError` with all problems of a broken one.
    """
    profile = settings.profiles.get(name)
    if profile is not None:
        return profile
    if (problems := settings.broken_profiles.get(name)) is not None:
        raise SettingsError(
            f"the model profile `{name}` can't be used: {count_of(problems)}",
            problems=problems,
            hint="Correct them, or use another profile: `llm-orc list-profiles`.",
        )
    raise ProfileNotFound(
        f"no model profile is called `{name}`",
        hint=did_you_mean(name, settings.profiles) or "List them with `llm-orc list-profiles`.",
    )


def default_profile(settings: Settings) -> ModelProfile:
    """Return the profile `default`; if it is broken, one that names nothing."""
    return settings.profiles.get("default") or ModelProfile("default", Origin("packaged"))


def circle_of_fallbacks(profiles: Mapping[str, ModelProfile], name: str) -> tuple[str, ...]:
    """Return the cycle that the fallbacks of a profile lead into, as in `a, b, a`; empty: they end."""
    way: dict[str, None] = {}
    following: str | None = name
    while following is not None and following not in way:
        way[following] = None
        profile = profiles.get(following)
        following = None if profile is None else profile.fallback_model_profile
    names = [*way]
    return () if following is None else (*names[names.index(following) :], following)


def missing_fallbacks(values: Mapping[SettingPath, Value]) -> dict[str, list[Problem]]:
    """Return, by profile, fallbacks to profiles that don't exist."""
    return _missing(*_fallbacks_in(values))


def fallback_problems(values: Mapping[SettingPath, Value]) -> dict[str, list[Problem]]:
    """Return, by profile, fallbacks to profiles that don't exist, and cycles of fallbacks."""
    names, fallback_of = _fallbacks_in(values)
    return _missing(names, fallback_of) | _circles(fallback_of)


def _fallbacks_in(values: Mapping[SettingPath, Value]) -> tuple[set[str], dict[str, Value]]:
    names = {path[1] for path in values if path[0] == "model_profiles"}
    fallback_of = {
        path[1]: value for path, value in values.items() if path[2:] == (_FALLBACK,) and value.value is not None
    }
    return names, fallback_of


def _missing(names: set[str], fallback_of: Mapping[str, Value]) -> dict[str, list[Problem]]:
    return {
        name: [
            _at(
                v,
                f"profile `{name}` falls back to `{v.value}`, which does not exist",
                did_you_mean(v.value, names),
            )
        ]
        for name, v in fallback_of.items()
        if v.value not in names
    }


def _circles(fallback_of: Mapping[str, Value]) -> dict[str, list[Problem]]:
    problems: dict[str, list[Problem]] = {}
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
            problem = _at(fallback_of[circle[0]], f"profiles fall back in a cycle: `{shown}`")
            problems |= {member: [problem] for member in circle}
        seen.update(way)
    return problems


def _at(value: Value, message: str, hint: str | None = None) -> Problem:
    return Problem(message, value.origin.file, value.origin.line, value.column, hint)
