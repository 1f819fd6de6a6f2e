"""Look up the ensembles that agents run, in files that name each other: all of them, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents, kind_of
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.agents.uses.graph import names_of, uses_of
from llm_orc.agents.uses.place import names_at
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.earlier.open_dispatch import may_run
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.parse import ParsedEnsemble
from llm_orc.errors import EnsembleInvalid, EnsembleNotFound, Problem

if TYPE_CHECKING:
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.storage.yaml_source import KeyPath

MAX_DEPTH = 8
MAX_AGENTS = 10_000  # of one ensemble, with all that run within them

FindNamed = Callable[[str, ParsedEnsemble], ParsedEnsemble]
"""Returns the ensemble that a file names. Raises `EnsembleNotFound`, `EnsembleInvalid`."""


@dataclass(frozen=True, slots=True)
class Nested:
    """An ensemble whose agents have the ensembles that they run, and all files that it is from, its own first.

    If there are `problems`, some of them are missing.
    """

    ensemble: Ensemble
    files: tuple[ParsedEnsemble, ...]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()  # what is read in a way that its author should know


def with_nested(parsed: ParsedEnsemble, find: FindNamed) -> Nested:
    """Return the ensemble with those that its agents run, and those that run within them. Never raises."""
    search = _Search(find)
    ensemble = search.completed(parsed, ())
    return Nested(
        ensemble, tuple(search.files), tuple(dict.fromkeys(search.problems)), tuple(dict.fromkeys(search.remarks))
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """`height`: how many ensembles are below each other in it. `agents`: how many there are, at all depths."""

    ensemble: NestedEnsemble
    height: int
    agents: int


class _Search:
    def __init__(self, find: FindNamed) -> None:
        self._find = find
        self._known: dict[str, _Found | None] = {}  # by the path of its file
        self._names: dict[str, str] = {}
        self.files: list[ParsedEnsemble] = []
        self.problems: list[Problem] = []
        self.remarks: list[Problem] = []

    def completed(self, parsed: ParsedEnsemble, above: tuple[str, ...]) -> Ensemble:
        self.files.append(parsed)
        place = _place_of(parsed)
        self._names[place] = parsed.ensemble.name
        here = (*above, place)
        agents = tuple(self._agent(parsed, i, spec, here) for i, spec in enumerate(parsed.ensemble.agents))
        return parsed.ensemble if agents == parsed.ensemble.agents else replace(parsed.ensemble, agents=agents)

    def _agent(self, parsed: ParsedEnsemble, i: int, spec: AgentSpec, here: tuple[str, ...]) -> AgentSpec:
        kind = kind_of(spec.work)
        if kind.is_open(spec.work):
            return self._open(parsed, i, spec, here)
        named = kind.ensembles(spec.work)
        if not named:
            return spec
        found: dict[str, NestedEnsemble] = {}
        for key, name in named.items():
            path = ("agents", i, *Text(key, "").path)
            child = self._child(parsed, spec.name, name, path, here)
            if child is None:
                return spec
            found[key] = child

        def say(key: str, message: str, hint: str | None = None) -> None:
            place = ("agents", i, *Text(key, "").path)
            self.problems.append(parsed.document.problem(message, place, at_key=True, hint=hint))

        completed = replace(spec, work=kind.with_ensembles(spec.name, spec.work, found, say))
        self._check_answers(parsed, completed, i)
        return completed

    def _open(self, parsed: ParsedEnsemble, i: int, spec: AgentSpec, here: tuple[str, ...]) -> AgentSpec:
        """Return the agent with what it may run: of what its file may mean, the ensembles without problems."""
        kind = kind_of(spec.work)
        path = ("agents", i, kind.key)
        usable: list[str] = []
        unusable: list[str] = []
        for name in may_run(parsed.ensemble, parsed.document):
            alone = replace(spec, work=kind.open_to(spec.work, (name,)))
            if (problem := self._problem_of(parsed, i, alone, here)) is None:
                usable.append(name)
            else:
                unusable.append(f"; not `{name}`: {problem.message}")
        if not usable:
            message = f"agent `{spec.name}` says with `{kind.key}` which ensemble runs, but not which ones may"
            hint = f"List them in agent `{spec.name}`: `choices: [NAME, NAME]`."
            self.problems.append(parsed.document.problem(message, path, at_key=True, hint=hint))
            return spec
        listed = ", ".join(usable)
        message = f"agent `{spec.name}` may run {', '.join(f'`{name}`' for name in usable)}{''.join(unusable)}"
        hint = f"Say so in the file: `choices: [{listed}]`."
        self.remarks.append(parsed.document.problem(message, path, at_key=True, hint=hint))
        return self._agent(parsed, i, replace(spec, work=kind.open_to(spec.work, usable)), here)

    def _problem_of(
        self, parsed: ParsedEnsemble, i: int, spec: AgentSpec, here: tuple[str, ...]
    ) -> Problem | None:
        """Return what is wrong with an ensemble that an agent runs, and forget that it was looked at."""
        known, files, problems, remarks = dict(self._known), len(self.files), len(self.problems), len(self.remarks)
        self._agent(parsed, i, spec, here)
        found = self.problems[problems:]
        if found:
            self._known = known
            del self.files[files:], self.problems[problems:], self.remarks[remarks:]
        return found[0] if found else None

    def _child(
        self, parsed: ParsedEnsemble, agent: str, name: str | NestedEnsemble, path: KeyPath, here: tuple[str, ...]
    ) -> NestedEnsemble | None:
        """Return the ensemble with all that run within it; None: there is a problem."""
        try:
            if isinstance(name, str):
                return self._named(parsed, name, here)
            return self._made(parsed, name, here)
        except EnsembleNotFound as e:
            self.problems.append(parsed.document.problem(f"agent `{agent}`: {e.message}", path, hint=e.hint))
        except EnsembleInvalid as e:
            self.problems += e.problems
        return None

    def _made(self, parsed: ParsedEnsemble, made: NestedEnsemble, here: tuple[str, ...]) -> NestedEnsemble:
        """Return an ensemble of a Python program. Raises `EnsembleNotFound` where there are too many."""
        _refuse_depth(len(here) + 1)
        ensemble = Ensemble(made.name, made.agents, inputs=made.inputs, answer=made.answer)
        return replace(made, agents=self.completed(ParsedEnsemble(ensemble, parsed.document), here).agents)

    def _named(self, parsed: ParsedEnsemble, name: str, here: tuple[str, ...]) -> NestedEnsemble | None:
        """Return the ensemble that a file names. Raises `EnsembleNotFound`, `EnsembleInvalid`."""
        child = self._find(name, parsed)
        place = _place_of(child)
        if place in here:
            names = [self._names[one] for one in (*here[here.index(place) :], place)]
            raise EnsembleNotFound(
                f"ensembles run each other: `{' → '.join(names)}`", hint="Remove one of these agents."
            )
        if place not in self._known:
            _refuse_depth(len(here) + 1)
            self._known[place] = None  # until it has no problems
            before = len(self.problems)
            complete = self.completed(child, here).nested()
            if len(self.problems) == before:
                self._known[place] = self._measured(complete)
        known = self._known[place]
        if known is None:
            return None
        _refuse_depth(len(here) + known.height)
        if known.agents > MAX_AGENTS:
            raise EnsembleNotFound(f"more than {MAX_AGENTS} agents would run within it")
        return known.ensemble

    def _measured(self, ensemble: NestedEnsemble) -> _Found:
        height, agents = 1, 0
        for spec in ensemble.agents:
            agents += 1
            for child in kind_of(spec.work).children(spec.work).values():
                known = next((one for one in self._known.values() if one and one.ensemble is child), None)
                if known is not None:
                    height, agents = max(height, known.height + 1), agents + known.agents
                else:
                    agents += sum(1 for _ in all_agents(child))
        return _Found(ensemble, height, agents)

    def _check_answers(self, parsed: ParsedEnsemble, spec: AgentSpec, i: int) -> None:
        """Report where an answer that the agent gives to an ensemble would become a part of a command there."""
        kind = kind_of(spec.work)
        given = kind.from_answers(spec, names_at(spec, names_of(parsed.ensemble)))
        for child in kind.children(spec.work).values() if given else ():
            for finding in uses_of(child, from_answers=given).findings:
                message = f"agent `{spec.name}` gives an answer to `{child.name}`, where agent `{finding.agent}`: "
                self.problems.append(
                    parsed.document.problem(message + finding.message, ("agents", i), hint=finding.hint)
                )


def _refuse_depth(ensembles: int) -> None:
    if ensembles > MAX_DEPTH + 1:
        raise EnsembleNotFound(f"ensembles run within each other more than {MAX_DEPTH} deep")


def _place_of(parsed: ParsedEnsemble) -> str:
    source = parsed.ensemble.source
    return f"({parsed.ensemble.name})" if source is None else source.path
