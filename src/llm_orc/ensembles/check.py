"""Rules between an ensemble and the settings: do the profiles and providers that it names exist?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import bodies_of, needs_of
from llm_orc.agents.model.kind import names_a_provider
from llm_orc.agents.references.text import Text
from llm_orc.agents.uses.graph import names_of, uses_of
from llm_orc.agents.uses.place import names_at
from llm_orc.catalog.table import PROVIDERS, row_of
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.check_options import options_problems
from llm_orc.errors import Problem
from llm_orc.providers.unknown import what_to_do, why_unknown
from llm_orc.settings.profiles import circle_of_fallbacks
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.references.names import Names
    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.agents.uses.graph import Uses
    from llm_orc.agents.work import ModelWork
    from llm_orc.ensembles.parse import ParsedEnsemble
    from llm_orc.settings.model import ModelProfile, Settings
    from llm_orc.storage.yaml_source import KeyPath

_TRUST = "This directory's settings need your trust. Read and allow them with `llm-orc trust`."


@dataclass(frozen=True, slots=True)
class Findings:
    """`problems` refuse a run; `warnings` are only reported. Both are in the order of the file."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def check(parsed: ParsedEnsemble, settings: Settings, *, as_if_trusted: bool = False) -> Findings:
    """Return the conflicts of the ensemble with `settings` and the provider table. Never raises.

    `as_if_trusted`: providers and profiles of an untrusted project exist too.
    """
    checker = _Checker(parsed, settings, as_if_trusted=as_if_trusted)
    checker.check_agents(parsed.ensemble)
    problems = checker.problems or options_problems(parsed, settings)
    return Findings(tuple(problems), (*parsed.ignored, *checker.warnings))


class _Checker:
    def __init__(self, parsed: ParsedEnsemble, settings: Settings, *, as_if_trusted: bool) -> None:
        self._document = parsed.document
        self._settings = settings
        withheld = [w.key.split(".") for w in settings.withheld] if as_if_trusted else []
        withheld_providers = {key[1] for key in withheld if key[0] == "providers"}
        self._providers = {*PROVIDERS, *settings.providers, *withheld_providers}
        self._withheld_profiles = {key[1] for key in withheld if key[0] == "model_profiles"}
        self._checked_profiles: set[str] = set()
        self._circles: set[str] = set()  # profiles in cycles of fallbacks
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def check_agents(self, graph: AgentGraph, path: KeyPath = ("agents",), around: Names | None = None) -> None:
        """Check the agents of the list at `path`, and those in their loops."""
        uses, names = uses_of(graph, around=around), names_of(graph, around=around)
        for i, agent in enumerate(graph.agents):
            self._check_agent(agent, (*path, i), uses.needs[agent.name])
            self._check_answer(agent, uses, (*path, i))
            for key, body in bodies_of(agent).items():
                self.check_agents(body, (*path, i, *Text(key, "").path), names_at(agent, names))

    def _check_agent(self, agent: AgentSpec, path: KeyPath, needs: Sequence[str]) -> None:
        for work in needs_of(agent.work).models:
            self._check_models(agent, work, path)
        judge = None if agent.samples is None else agent.samples.judge
        if judge is not None and judge.profile is not None:
            self._check_profile(agent, judge.profile, (*path, "vote", "choose"))
        for key, is_given in (("requires", agent.requires != "all"), ("within", agent.within_s is not None)):
            if is_given and not needs:
                self._warn(f"agent `{agent.name}` depends on nothing, so `{key}` has no effect", path, key)

    def _check_answer(self, agent: AgentSpec, uses: Uses, path: KeyPath) -> None:
        """Warn where a person is asked and their answer decides nothing."""
        after = next((name for name, needs in uses.needs.items() if agent.name in needs), None)
        if after is None or not needs_of(agent.work).people or agent.name in {other for _, other in uses.places}:
            return
        message = f"`{after}` runs whatever is answered to agent `{agent.name}`, as nothing refers to the answer"
        hint = f"A condition lets it decide: `when: ${{{agent.name}}} == …`."
        self.warnings.append(self._document.problem(message, (*path, "name"), at_key=True, hint=hint))

    def _check_models(self, agent: AgentSpec, work: ModelWork, path: KeyPath) -> None:
        model = work.model
        if model.profile is not None:
            self._check_profile(agent, model.profile, (*path, "model_profile"))
        elif model.provider is not None:
            key = "provider" if model.model is not None or self._has(path, "provider") else "model"
            self._check_provider(f"agent `{agent.name}`", model.provider, (*path, key))
        elif not model.is_typed:  # one that a user has named alone is found with its access
            self._model_alone(agent, model.model or "", path)
        fallback = work.fallback_model_profile
        if fallback is not None:
            self._check_profile(agent, fallback, (*path, "fallback_model_profile"))
            if fallback == model.profile:
                self._warn(
                    f"agent `{agent.name}` falls back to the profile it already uses",
                    path,
                    "fallback_model_profile",
                )

    def _has(self, path: KeyPath, key: str) -> bool:
        return self._document.key_at((*path, key)) != self._document.key_at(path)

    def _warn(self, message: str, path: KeyPath, key: str) -> None:
        self.warnings.append(self._document.problem(message, (*path, key), at_key=True))

    def _model_alone(self, agent: AgentSpec, model: str, path: KeyPath) -> None:
        question = did_you_mean(model, self._settings.profiles)
        self.problems.append(
            self._document.problem(
                f"agent `{agent.name}` names the model `{model}` but no provider",
                (*path, "model"),
                hint=f"If it is a profile, write `model_profile:`. {question}"
                if question
                else "Add `provider:` beside it, or use `model_profile:`.",
            )
        )

    def _check_profile(self, agent: AgentSpec, name: str, path: KeyPath) -> None:
        profile = self._settings.profiles.get(name)
        if (broken := self._settings.broken_profiles.get(name)) is not None:
            self.problems += (problem for problem in broken if problem not in self.problems)
        elif profile is None and name not in self._withheld_profiles:
            self.problems.append(
                self._document.problem(
                    f"agent `{agent.name}` uses the model profile `{name}`, which does not exist",
                    path,
                    hint=did_you_mean(name, self._settings.profiles) or "See `llm-orc list-profiles`.",
                )
            )
        elif profile is not None and name not in self._checked_profiles:
            self._checked_profiles.add(name)
            self._check_use(profile)
            self._check_circle(profile)
            following = profile.fallback_model_profile
            if following is not None and following in self._settings.profiles:
                self._check_profile(agent, following, path)

    def _check_circle(self, profile: ModelProfile) -> None:
        """Each profile of a cycle is asked once, so it only matters where all of them fail."""
        circle = circle_of_fallbacks(self._settings.profiles, profile.name)
        if profile.name not in circle or not self._circles.isdisjoint(circle):
            return
        self._circles.update(circle)
        key = f"model_profiles.{profile.name}.fallback_model_profile"
        origin = self._settings.origins.get(key, profile.origin)
        message = f"profiles fall back in a cycle: `{' → '.join(circle)}`; each is tried once"
        self.warnings.append(Problem(message, origin.file, origin.line, int(origin.line > 0)))

    def _check_use(self, profile: ModelProfile) -> None:
        """Check a profile that the ensemble uses; unused ones may be unfinished."""
        provider = profile.provider
        if provider is None and profile.model is not None and not names_a_provider(profile.model):
            self._profile_problem(
                profile,
                "has a model but no provider",
                did_you_mean(profile.model, self._providers) or "Add `provider:`.",
            )
        elif provider is not None and not self._is_known(provider):
            self._profile_problem(
                profile, f"names the unknown provider `{provider}`", self._provider_hint(provider)
            )

    def _profile_problem(self, profile: ModelProfile, what: str, hint: str | None) -> None:
        origin = self._settings.origins.get(f"model_profiles.{profile.name}.provider", profile.origin)
        self.problems.append(
            Problem(f"model profile `{profile.name}` {what}", origin.file, origin.line, int(origin.line > 0), hint)
        )

    def _check_provider(self, who: str, name: str, path: KeyPath) -> None:
        if not self._is_known(name):
            self.problems.append(
                self._document.problem(
                    f"{who} names the unknown provider `{name}`{why_unknown(name)}",
                    path,
                    hint=self._provider_hint(name),
                )
            )

    def _is_known(self, provider: str) -> bool:
        return provider in self._providers or row_of(provider) is not None

    def _provider_hint(self, name: str) -> str:
        if any(w.key.startswith(f"providers.{name}.") for w in self._settings.withheld):
            return _TRUST
        return what_to_do(name, self._providers)
