"""YAML to a valid `Ensemble`: every problem at once, in the order of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_orc.agents.spec import AgentGroup, Place, Source, TaskUse
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.agents.reader import AgentList, AgentReader
from llm_orc.ensembles.dependencies import Dependencies
from llm_orc.ensembles.earlier.files import is_earlier
from llm_orc.ensembles.earlier.keys import IGNORED_KEYS
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.fields import ENSEMBLE_FIELDS
from llm_orc.ensembles.guarded import Guarded, ensemble_digest
from llm_orc.ensembles.inputs import read_inputs
from llm_orc.ensembles.surroundings import surroundings
from llm_orc.errors import EnsembleCycle, EnsembleInvalid, Problem
from llm_orc.errors.problem import count_of
from llm_orc.settings.guard import GuardedValue
from llm_orc.storage.field_types import type_of
from llm_orc.storage.links import is_linked, link_problem
from llm_orc.storage.yaml_fields import FieldReader
from llm_orc.storage.yaml_source import Located, read_yaml_file, read_yaml_text

if TYPE_CHECKING:
    from llm_orc.agents.kind import Surroundings
    from llm_orc.jsontypes import JsonValue


@dataclass(frozen=True, slots=True)
class ParsedEnsemble:
    """A valid ensemble, and its document with positions: agent `i` is at `("agents", i)`.

    `guarded` has the values that need trust if the file is a project's.
    """

    ensemble: Ensemble
    document: Located
    ignored: tuple[Problem, ...] = ()  # keys that the file has and this release does not know
    guarded: tuple[GuardedValue, ...] = ()
    shared: tuple[Path, ...] = ()  # folders with scripts that all ensembles may use
    values: Mapping[str, Any] = field(default_factory=dict)  # by dotted key: `max_cost`, `agents.judge.model`

    @property
    def digest(self) -> str:
        """Changes with every change of `guarded`."""
        return ensemble_digest(self.guarded)

    def when_trusted(self) -> ParsedEnsemble:
        """Return it with all values of its file."""
        source = self.ensemble.source
        return (
            self
            if source is None
            else parse_ensemble(self.document, replace(source, trusted=True, withheld=()), self.shared)
        )


def load_ensemble_file(path: Path, place: Place = "file", shared: tuple[Path, ...] = ()) -> ParsedEnsemble:
    """Read and parse one file. Raises `EnsembleInvalid`, also if the file can't be read.

    Scripts that it names are looked for beside it, and then in the folders `shared`.
    """
    absolute = path.absolute()
    try:
        return parse_ensemble(read_yaml_file(absolute), Source(place, str(absolute)), shared)
    except EnsembleInvalid:
        if not is_linked(absolute):
            raise
    problem = link_problem(absolute, "ensemble")
    raise EnsembleInvalid(f"the ensemble can't be used: {problem.message}", problems=[problem])


def parse_ensemble_text(text: str, source: Source | None = None) -> ParsedEnsemble:
    """Parse text that is not in a file. Raises `EnsembleInvalid`."""
    return parse_ensemble(read_yaml_text(text, Path(source.path) if source else None), source)


def parse_ensemble(
    document: Located, source: Source | None = None, shared: tuple[Path, ...] = ()
) -> ParsedEnsemble:
    """Return the effective part of the document: all of it if `source` is the user's own or None.

    Raises `EnsembleInvalid` with all problems, `EnsembleCycle` if cycles are the only kind of problem.
    """
    guard = Guarded(document, trusted=source is None or source.is_users)
    parser = _Parser(document, guard, surroundings(document.file, shared))
    ensemble = parser.parse(source)
    if source is not None and guard.withheld:
        ensemble = replace(ensemble, source=replace(source, withheld=tuple(guard.withheld)))
    return ParsedEnsemble(ensemble, document, parser.ignored, tuple(guard.values), shared, parser.values)


class _Parser:
    def __init__(self, document: Located, guard: Guarded, around: Surroundings) -> None:
        self._fields = FieldReader(document)
        self._guard = guard
        self._reader = AgentReader(self._fields, guard, around)
        self._agents = AgentList(("agents",))
        self._cycle: tuple[str, ...] = ()
        self.values: dict[str, Any] = {}

    @property
    def ignored(self) -> tuple[Problem, ...]:
        return tuple(self._fields.ignored)

    def parse(self, source: Source | None) -> Ensemble:
        data = self._fields.document.data
        if isinstance(data, dict) and is_earlier(data):
            self._reader.is_earlier = True
        values = self._top(data) if isinstance(data, dict) else self._no_mapping(data)
        inputs = read_inputs(self._fields, values.get("inputs"))
        if isinstance(data, dict):
            if "agents" in data:
                self._read_agents(data["agents"])
            found = Dependencies(self._fields, self._agents, AgentGroup("", tuple(self._agents.agents), inputs))
            self._cycle = found.check()
            self._check_answer(values.get("answer"))
            found.check_condition("fails_when", values.get("fails_when"))
            found.check_prompts(takes_task=_task(values)[0] != "none")
        if self._fields.problems:
            raise self._invalid()
        use, default_task = _task(values)
        return Ensemble(
            name=values["name"],
            agents=tuple(self._agents.agents),
            description=values.get("description") or "",
            default_task=default_task,
            source=source,
            conversation=values.get("conversation"),
            when_full=values.get("when_full"),
            max_cost_usd=values.get("max_cost"),
            max_calls=values.get("max_calls"),
            max_total_tokens=values.get("max_total_tokens"),
            inputs=inputs,
            task=use,
            fails_when=values.get("fails_when"),
            answer=values.get("answer") or "",
        )

    def _check_answer(self, name: str | None) -> None:
        if name is not None and name not in self._agents.index:
            self._fields.problem(
                f"`answer` names `{name}`, which is not an agent of this ensemble",
                ("answer",),
                hint=self._fields.question(name, self._agents.index),
            )

    def _no_mapping(self, data: JsonValue) -> dict[str, Any]:
        document = self._fields.document
        if document.is_empty:
            self._fields.problem(
                "the file is empty; an ensemble has a `name` and `agents`",
                (),
                hint="See `llm-orc list-ensembles`.",
            )
        elif data is not None or not document.problems:
            self._fields.problem(f"an ensemble is a mapping with `name` and `agents`, not {type_of(data)}", ())
        return {}

    def _top(self, data: dict[str, JsonValue]) -> dict[str, Any]:
        what = "the ensemble"
        if "max_tokens" in data:  # a limit that was meant must not be ignored, as other unknown keys are
            message = "`max_tokens` bounds one answer of an agent, and an ensemble has none"
            hint = "Write `max_total_tokens` for all tokens of a run, or give `max_tokens` to its agents."
            self._fields.problem(message, ("max_tokens",), at_key=True, hint=hint)
            data = {key: value for key, value in data.items() if key != "max_tokens"}
        values = self._fields.read((), data, ENSEMBLE_FIELDS, what, ignores_foreign=True, ignored=IGNORED_KEYS)
        self._check_task(values)
        taken = self._guard.taken((), "", values, ENSEMBLE_FIELDS)
        self.values |= taken
        return taken

    def _check_task(self, values: dict[str, Any]) -> None:
        task = values.get("task")
        if values.get("default_task") is None or task is None:
            return
        use, _ = _task(values)
        message = {
            "optional": "`task` is the older name of `default_task`; keep one",
            "none": "`task: none` says that a run takes no task, so `default_task` is never used",
            "required": "`task: required` says that each run is given a task, so `default_task` is never used",
        }[use]
        self._fields.problem(message, ("task",), at_key=True)

    def _read_agents(self, agents: JsonValue) -> None:
        if agents is None or agents == []:
            self._fields.problem("the ensemble has no `agents`", ("agents",), hint=ENSEMBLE_FIELDS["agents"].hint)
        elif not isinstance(agents, list):
            self._fields.problem(f"`agents` must be a list, not {type_of(agents)}", ("agents",))
        else:
            self._agents = self._reader.read(("agents",), agents)
            self.values |= self._reader.values

    def _invalid(self) -> EnsembleInvalid:
        problems: list[Problem] = self._fields.in_order()
        message = f"the ensemble can't be used: {count_of(problems)}"
        if self._cycle:
            message = f"the ensemble can't be used: {problems[0].message}"
            return EnsembleCycle(message, cycle=self._cycle, problems=problems)
        return EnsembleInvalid(message, problems=problems)


def _task(values: Mapping[str, Any]) -> tuple[TaskUse, str | None]:
    """Return whether a run takes a task, and the default one, whose older spelling is text in `task`."""
    task, default = values.get("task"), values.get("default_task")
    if isinstance(task, str) and task in _TASK_USES:
        return _TASK_USES[task], default
    return "optional", task if default is None else default


_TASK_USES: Mapping[str, TaskUse] = {"none": "none", "required": "required"}
