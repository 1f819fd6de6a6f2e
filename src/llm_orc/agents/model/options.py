"""Decide which `options` may be sent: plain sampling options by anyone, others by the user's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import SettingsError
from llm_orc.providers.lookup import find_provider, provider_settings
from llm_orc.providers.options.left_out import left_out, unsendable
from llm_orc.providers.options.request import OptionProblem, extra_options, option_problems
from llm_orc.providers.options.table import TOOL_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.catalog.call_rules import CallRules
    from llm_orc.catalog.rows import DialectName
    from llm_orc.settings.model import Settings

_USERS_LAYERS = frozenset({"packaged", "user", "environment", "flag"})


def refused_options(
    choice: ModelChoice, dialects: Sequence[DialectName], settings: Settings
) -> tuple[OptionProblem, ...]:
    """Return the problems with the options of `choice`, for a model that speaks one of `dialects`.

    The user's settings allow what `providers.<name>.extra_options` names, and what a profile in the user's own
    files sets itself. Nothing in an ensemble or in a project's files allows more, trusted or not. An option that
    the provider refuses is a problem if the request would mean something else without it.
    """
    if not choice.options:
        return ()
    problems = option_problems(choice.options, dialects, _allowed(choice, settings))
    if choice.provider is None:
        return problems
    rules, known = find_provider(choice.provider, settings.providers).calls, {problem.path for problem in problems}
    return (*problems, *(p for p in unsendable(rules, choice.options, dialects) if p.path not in known))


def tools_twice(choice: ModelChoice) -> tuple[OptionProblem, ...]:
    """Return the problems with the options of an agent with tools: only those of one of them can be offered."""
    hint = "Remove it, or remove `tools` from the agent."
    named = [name for name in TOOL_OPTIONS if name in choice.options]
    return tuple(OptionProblem((name,), "can't be set beside the agent's own `tools`", hint) for name in named)


def _allowed(choice: ModelChoice, settings: Settings) -> frozenset[str]:
    of_provider = (
        [provider_settings(choice.provider, settings.providers)]
        if choice.provider is not None
        else list(settings.providers.values())
    )
    named = [name for provider in of_provider if provider is not None for name in provider.extra_options]
    return frozenset([*named, *_own_words(choice, settings)])


def _own_words(choice: ModelChoice, settings: Settings) -> list[str]:
    """Return the options that the user's own file gives to this profile, with exactly the value to be sent."""
    profile = settings.profiles.get(choice.profile or "")
    if profile is None:
        return []
    found = []
    for key, value in profile.options.items():
        origin = settings.origins.get(f"model_profiles.{profile.name}.options.{key}")
        is_users = origin is not None and origin.layer in _USERS_LAYERS
        if is_users and key in choice.options and choice.options[key] == value:
            found.append(key)
    return found


def option_hint(problem: OptionProblem, provider: str | None) -> str | None:
    """Return what to do about the problem."""
    if problem.extra is None:
        return problem.hint
    name = provider or "<name>"
    return f"Remove it, or allow it in your own config.yaml: `providers.{name}.extra_options: [{problem.extra}]`."


def options_error(agent: str, choice: ModelChoice, problems: Sequence[OptionProblem]) -> SettingsError:
    """Return the error for all of them."""
    lines = [f"`options.{problem.name}` {problem.message}" for problem in problems]
    return SettingsError(
        f"agent `{agent}` can't call `{choice.provider}` with these options: {'; '.join(lines)}",
        hint=next(filter(None, (option_hint(problem, choice.provider) for problem in problems)), None),
    )


def left_out_notices(agents: Mapping[str, Sequence[tuple[ModelChoice, CallRules]]]) -> list[str]:
    """Return a notice for each provider that is not sent what its agents set, because it refuses that."""
    found: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for agent, models in agents.items():
        for choice, rules in models:
            names = left_out(rules, choice.options, temperature=choice.temperature, max_tokens=choice.max_tokens)
            if names:
                found.setdefault((choice.provider or "", names), {})[agent] = None
    return [
        f"`{provider}` refuses {', '.join(f'`{name}`' for name in names)}, so it is called without"
        f" (agent{'s' if len(concerned) > 1 else ''} {', '.join(f'`{agent}`' for agent in concerned)})."
        for (provider, names), concerned in found.items()
    ]


def extras_notice(agent: str, choice: ModelChoice, dialects: Sequence[DialectName]) -> str | None:
    """Return a notice of the options of `choice` that are more than sampling options."""
    extras = extra_options(choice.options, dialects)
    if not extras:
        return None
    shown = ", ".join(f"`{extra.name}`" + (f" ({extra.does})" if extra.does else "") for extra in extras)
    return f"Agent `{agent}` sends options that your settings allow to `{choice.provider}`: {shown}."
