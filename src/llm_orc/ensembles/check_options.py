"""Find `options` of agents that can't be sent, each with its position, as far as models are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.choice import Untrusted, choose_models
from llm_orc.agents.kinds import agents_in_file, needs_of
from llm_orc.agents.model.options import option_hint, refused_options, tools_twice
from llm_orc.errors import LlmOrcError, Problem
from llm_orc.providers.lookup import find_provider
from llm_orc.providers.options.request import ALL_DIALECTS
from llm_orc.settings.profiles import find_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.work import ModelWork
    from llm_orc.catalog.rows import DialectName
    from llm_orc.ensembles.parse import ParsedEnsemble
    from llm_orc.providers.options.request import OptionProblem
    from llm_orc.settings.model import Settings
    from llm_orc.storage.yaml_source import KeyPath


def options_problems(parsed: ParsedEnsemble, settings: Settings) -> list[Problem]:
    """Return the problems in the order of the file. A provider that is chosen later is checked then."""
    problems: dict[Problem, None] = {}
    for path, agent in agents_in_file(parsed.ensemble.agents):
        for work in needs_of(agent.work).models:
            problems.update(dict.fromkeys(_of_agent(parsed, settings, agent, work, path)))
    return list(problems)


def _of_agent(
    parsed: ParsedEnsemble, settings: Settings, agent: AgentSpec, work: ModelWork, path: KeyPath
) -> Iterator[Problem]:
    try:
        choices = choose_models(work, agent.timeout_s, lambda name: find_profile(settings, name), Untrusted())
        known = [(choice, _dialects(choice, settings)) for choice in choices]
    except LlmOrcError:  # problems with its profiles and providers are already reported
        return
    for choice, dialects in known:
        for problem in (
            *refused_options(choice, dialects, settings),
            *(tools_twice(choice) if work.tools else ()),
        ):
            hint = option_hint(problem, choice.provider)
            if problem.path[0] in work.options:
                message = f"agent `{agent.name}`: `options.{problem.name}` {problem.message}"
                place: KeyPath = (*path, "options", *problem.path)
                yield parsed.document.problem(message, place, at_key=True, hint=hint)
            else:
                yield _of_profile(choice, problem, settings, hint)


def _of_profile(choice: ModelChoice, problem: OptionProblem, settings: Settings, hint: str | None) -> Problem:
    origin = settings.origins.get(f"model_profiles.{choice.profile}.options.{problem.path[0]}")
    message = f"model profile `{choice.profile}`: `options.{problem.name}` {problem.message}"
    if origin is None:
        return Problem(message, hint=hint)
    return Problem(message, origin.file, origin.line, int(origin.line > 0), hint)


def _dialects(choice: ModelChoice, settings: Settings) -> Sequence[DialectName]:
    """Return the dialects; an official CLI is sent no options, so any dialect's options do no harm there."""
    if choice.provider is None:
        return ALL_DIALECTS
    spec = find_provider(choice.provider, settings.providers)
    return ALL_DIALECTS if spec.cli is not None else (spec.dialect,)
