"""Look up the ensembles that agents run, in files that name each other: all of them, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import bodies_of, kind_of
from llm_orc.agents.path import child_of, path_of
from llm_orc.agents.references.names import Names
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.agents.uses.graph import findings_after, names_of, uses_of
from llm_orc.agents.uses.place import names_at
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.earlier.open_dispatch import may_run
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.parse import ParsedEnsemble
from llm_orc.errors import EnsembleInvalid, EnsembleNotFound, Problem
from llm_orc.storage.yaml_source import KeyPath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.agents.uses.graph import Finding

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


@dataclass(frozen=True, slots=True)
class _List:
    """A list of agents: its file, where it stands there, the ensembles around it, and the names known to it."""

    parsed: ParsedEnsemble
    path: KeyPath
    here: tuple[str, ...]
    names: Names


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
        agents = self._agents(_List(parsed, ("agents",), here, names_of(parsed.ensemble)), parsed.ensemble.agents)
        return parsed.ensemble if agents == parsed.ensemble.agents else replace(parsed.ensemble, agents=agents)

    def _agents(self, of: _List, agents: Sequence[AgentSpec]) -> tuple[AgentSpec, ...]:
        return tuple(self._agent(of, (*of.path, i), spec) for i, spec in enumerate(agents))

    def _agent(self, of: _List, path: KeyPath, spec: AgentSpec) -> AgentSpec:
        kind = kind_of(spec.work)
        if kind.is_open(spec.work):
            return self._open(of, path, spec)
        named = kind.ensembles(spec.work)
        if not named:
            return spec
        here = names_at(spec, of.names)
        given = kind.from_answers(spec, here)
        found: dict[str, NestedEnsemble] = {}
        for key, name in named.items():
            place = (*path, *Text(key, "").path)
            if isinstance(name, NestedEnsemble) and name.is_body:
                known = names_of(name, None, given, here)
                child = self._body(_List(of.parsed, place, of.here, known), name)
            else:
                child = self._child(of, spec.name, name, place)
            if child is None:
                return spec
            found[key] = child

        def say(key: str, message: str, hint: str | None = None, *, within: KeyPath = ()) -> None:
            place = (*path, *Text(key, "").path, *within)
            self.problems.append(of.parsed.document.problem(message, place, at_key=True, hint=hint))

        completed = replace(spec, work=kind.with_ensembles(spec.name, spec.work, found, say))
        if not bodies_of(spec):  # what is written in the same file is checked with it
            self._check_after(of, completed, path)
            self._check_answers(of.parsed, completed, path, kind.from_answers(completed, here))
        return completed

    def _open(self, of: _List, path: KeyPath, spec: AgentSpec) -> AgentSpec:
        """Return the agent with what it may run: of what its file may mean, the ensembles without problems."""
        kind = kind_of(spec.work)
        key, document = (*path, kind.key), of.parsed.document
        usable: list[str] = []
        unusable: list[str] = []
        for name in may_run(of.parsed.ensemble, document):
            alone = replace(spec, work=kind.open_to(spec.work, (name,)))
            if (problem := self._problem_of(of, path, alone)) is None:
                usable.append(name)
            else:
                unusable.append(f"; not `{name}`: {problem.message}")
        if not usable:
            message = f"agent `{spec.name}` says with `{kind.key}` which ensemble runs, but not which ones may"
            hint = f"List them in agent `{spec.name}`: `choices: [NAME, NAME]`."
            self.problems.append(document.problem(message, key, at_key=True, hint=hint))
            return spec
        listed = ", ".join(usable)
        message = f"agent `{spec.name}` may run {', '.join(f'`{name}`' for name in usable)}{''.join(unusable)}"
        hint = f"Say so in the file: `choices: [{listed}]`."
        self.remarks.append(document.problem(message, key, at_key=True, hint=hint))
        return self._agent(of, path, replace(spec, work=kind.open_to(spec.work, usable)))

    def _problem_of(self, of: _List, path: KeyPath, spec: AgentSpec) -> Problem | None:
        """Return what is wrong with an ensemble that an agent runs, and forget that it was looked at."""
        known, files, problems, remarks = dict(self._known), len(self.files), len(self.problems), len(self.remarks)
        self._agent(of, path, spec)
        found = self.problems[problems:]
        if found:
            self._known = known
            del self.files[files:], self.problems[problems:], self.remarks[remarks:]
        return found[0] if found else None

    def _child(self, of: _List, agent: str, name: str | NestedEnsemble, path: KeyPath) -> NestedEnsemble | None:
        """Return the ensemble with all that run within it; None: there is a problem."""
        try:
            return (
                self._named(of.parsed, name, of.here)
                if isinstance(name, str)
                else self._made(of.parsed, name, of.here)
            )
        except EnsembleNotFound as e:
            self.problems.append(of.parsed.document.problem(f"agent `{agent}`: {e.message}", path, hint=e.hint))
        except EnsembleInvalid as e:
            self.problems += e.problems
        return None

    def _body(self, of: _List, body: NestedEnsemble) -> NestedEnsemble | None:
        """Return the body of a loop, whose agents are the list `of`; None: it is nested too deeply."""
        place = f"{of.here[-1]}#{of.path}"
        self._names[place] = body.name
        try:
            _refuse_depth(len(of.here) + 1)
        except EnsembleNotFound as e:
            message = f"agent `{body.name}`: {e.message}"
            self.problems.append(of.parsed.document.problem(message, of.path, hint=e.hint))
            return None
        return replace(body, agents=self._agents(replace(of, here=(*of.here, place)), body.agents))

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
                self._known[place] = _Found(complete, *self._size(complete))
        known = self._known[place]
        if known is None:
            return None
        _refuse_depth(len(here) + known.height)
        if known.agents > MAX_AGENTS:
            raise EnsembleNotFound(f"more than {MAX_AGENTS} agents would run within it")
        return known.ensemble

    def _size(self, graph: AgentGraph) -> tuple[int, int]:
        """Return `height` and `agents` of what is in the graph: see `_Found`."""
        known = next((one for one in self._known.values() if one and one.ensemble is graph), None)
        if known is not None:
            return known.height, known.agents
        height, agents = 1, 0
        for spec in graph.agents:
            agents += 1
            for child in kind_of(spec.work).children(spec.work).values():
                below, within = self._size(child)
                height, agents = max(height, below + 1), agents + within
        return height, agents

    def _check_after(self, of: _List, spec: AgentSpec, path: KeyPath) -> None:
        """Report what is wrong with the texts that refer to agents of an ensemble that was looked up now."""
        document = of.parsed.document
        for finding in findings_after(spec, names_at(spec, of.names)):
            text = (*path, *Text(finding.key, "").path)
            place = document.place_in(text, finding.text, finding.start, finding.end)
            message = f"agent `{spec.name}`: {finding.message}"
            self.problems.append(document.problem_at(message, place, finding.hint))

    def _check_answers(
        self, parsed: ParsedEnsemble, spec: AgentSpec, path: KeyPath, given: frozenset[str]
    ) -> None:
        """Report where an answer that the agent gives to an ensemble would become a part of a command there."""
        for child in kind_of(spec.work).children(spec.work).values() if given else ():
            for agent, finding in _tainted(child, given):
                message = f"agent `{spec.name}` gives an answer to `{child.name}`, where agent `{agent}`: "
                self.problems.append(parsed.document.problem(message + finding.message, path, hint=finding.hint))


def _tainted(
    graph: AgentGraph, given: frozenset[str], within: AgentPath | None = None, around: Names | None = None
) -> Iterator[tuple[AgentPath, Finding]]:
    """Yield what is wrong with the agents of the graph, at all depths, where answers are `given` to it."""
    for finding in uses_of(graph, None, given, around).findings:
        yield path_of(finding.agent) if within is None else child_of(within, finding.agent), finding
    names = names_of(graph, None, given, around)
    for spec in graph.agents:
        kind = kind_of(spec.work)
        here = names_at(spec, names)
        path = path_of(spec.name) if within is None else child_of(within, spec.name)
        for name, child in kind.children(spec.work).items():
            below = child_of(path, name) if kind.names_children else path
            yield from _tainted(child, kind.from_answers(spec, here), below, here)


def _refuse_depth(ensembles: int) -> None:
    if ensembles > MAX_DEPTH + 1:
        raise EnsembleNotFound(f"ensembles run within each other more than {MAX_DEPTH} deep")


def _place_of(parsed: ParsedEnsemble) -> str:
    source = parsed.ensemble.source
    return f"({parsed.ensemble.name})" if source is None else source.path
