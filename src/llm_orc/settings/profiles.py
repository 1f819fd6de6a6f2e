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


def fallback_problems(values: Mapping[SettingPath, Value]) -> dict[str, list[Problem]]:
    """Return, by profile, fallbacks to profiles that don't exist, and cycles of fallbacks."""
    names = {path[1] for path in values if path[0] == "model_profiles"}
    fallback_of = {
        path[1]: value for path, value in values.items() if path[2:] == (_FALLBACK,) and value.value is not None
    }
    missing = {
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
    return missing | _circles(fallback_of)


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
