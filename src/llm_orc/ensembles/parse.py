"""YAML to a valid `Ensemble`: every problem at once, in the order of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_orc.agents.kind import AgentKeys, Surroundings
from llm_orc.agents.kinds import KINDS
from llm_orc.agents.model.kind import MODEL
from llm_orc.agents.references.syntax import is_special, literal
from llm_orc.agents.spec import AgentSpec, Place, Source, TaskUse
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.dependencies import Dependencies
from llm_orc.ensembles.earlier.files import is_earlier
from llm_orc.ensembles.earlier.keys import IGNORED_KEYS, check_input_key, requires_of, sees_of
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.fields import ENSEMBLE_FIELDS, FRAME_FIELDS, OTHER_KINDS_OF_AGENT
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
    from llm_orc.agents.fan_out.spec import FanOut
    from llm_orc.agents.kind import Kind, Say
    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.field import Fields


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
        self._around = around
        self._guard = guard
        self._agents: list[AgentSpec] = []
        self._index: dict[str, int] = {}  # of every agent with a usable name, even if the rest is wrong
        self._dependencies: dict[str, tuple[str, ...]] = {}
        self._cycle: tuple[str, ...] = ()
        self._is_earlier = False  # as a whole, it could be a file of an earlier release
        self.values: dict[str, Any] = {}

    @property
    def ignored(self) -> tuple[Problem, ...]:
        return tuple(self._fields.ignored)

    def parse(self, source: Source | None) -> Ensemble:
        data = self._fields.document.data
        self._is_earlier = isinstance(data, dict) and is_earlier(data)
        values = self._top(data) if isinstance(data, dict) else self._no_mapping(data)
        inputs = read_inputs(self._fields, values.get("inputs"))
        if isinstance(data, dict):
            if "agents" in data:
                self._read_agents(data["agents"])
            found = Dependencies(self._fields, self._index, self._dependencies, self._agents, inputs)
            self._cycle = found.check()
            self._check_answer(values.get("answer"))
            found.check_condition("fails_when", values.get("fails_when"))
            found.check_prompts(takes_task=_task(values)[0] != "none")
        if self._fields.problems:
            raise self._invalid()
        use, default_task = _task(values)
        return Ensemble(
            name=values["name"],
            agents=tuple(self._agents),
            description=values.get("description") or "",
            default_task=default_task,
            source=source,
            conversation=values.get("conversation"),
            when_full=values.get("when_full"),
            max_cost_usd=values.get("max_cost"),
            max_calls=values.get("max_calls"),
            inputs=inputs,
            task=use,
            fails_when=values.get("fails_when"),
            answer=values.get("answer") or "",
        )

    def _check_answer(self, name: str | None) -> None:
        if name is not None and name not in self._index:
            self._fields.problem(
                f"`answer` names `{name}`, which is not an agent of this ensemble",
                ("answer",),
                hint=self._fields.question(name, self._index),
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
            for i, agent in enumerate(agents):
                self._read_agent(i, agent)

    def _read_agent(self, i: int, agent: JsonValue) -> None:
        path = ("agents", i)
        if not isinstance(agent, dict):
            self._fields.problem(f"an agent must be a mapping, not {type_of(agent)}", path)
            return
        other = next((key for key in OTHER_KINDS_OF_AGENT if key in agent and key not in KINDS), None)
        known = agent if other is None else {k: v for k, v in agent.items() if k in FRAME_FIELDS}
        shown = agent.get("name")
        what = f"agent `{shown[:80]}`" if isinstance(shown, str) and shown else f"agent number {i + 1}"
        kind = self._kind(path, agent, what)
        rows = {**FRAME_FIELDS, **kind.fields}
        values = self._fields.read(path, known, rows, what)
        if other is not None:
            self._fields.problem(
                f"{what} has `{other}`, which this release does not support",
                (*path, other),
                at_key=True,
                hint="This release runs agents that are language models.",
            )
        name = values.get("name")
        if name is not None and self._is_first(name, i):
            self._dependencies[name] = values.get("depends_on", ())
            values = self._guard.taken(path, f"agents.{name}.", values, rows)
            self.values |= {f"agents.{name}.{key}": value for key, value in values.items()}
            self._agents.append(self._spec(kind, name, values, path))

    def _is_first(self, name: str, i: int) -> bool:
        first = self._index.setdefault(name, i)
        if first == i:
            return True
        line = self._fields.document.value_at(("agents", first, "name")).line
        self._fields.problem(
            f"two agents are called `{name}`, the first on line {line}",
            ("agents", i, "name"),
            hint="Give each agent a different name.",
        )
        return False

    def _spec(self, kind: Kind, name: str, values: dict[str, Any], path: tuple[str, int]) -> AgentSpec:
        def say(key: str, message: str, hint: str | None = None) -> None:
            self._fields.problem(message, (*path, *key.split(".")), at_key=True, hint=hint)

        def warn(key: str, message: str, hint: str | None = None) -> None:
            self._fields.ignored.append(
                self._fields.document.problem(message, (*path, *key.split(".")), at_key=True, hint=hint)
            )

        def read_mapping(key: str, mapping: Mapping[str, JsonValue], rows: Fields, what: str) -> dict[str, Any]:
            return self._fields.read((*path, key), mapping, rows, what)

        check_input_key(name, values, say)
        if self._is_earlier and is_special(prompt := values.get("system_prompt") or ""):
            values = {**values, "system_prompt": literal(prompt)}
            message = f"agent `{name}` has `${{` in its system prompt, which is text, as in earlier releases"
            warn("system_prompt", message, "Write `$${` for it: elsewhere `${…}` is a reference.")
        work = kind.read(AgentKeys(name, values, say, warn, self._around, read_mapping))
        self._guard.programs((*path, kind.key), f"agents.{name}.{kind.key}", kind.needs(work).programs)
        return AgentSpec(
            name=name,
            work=work,
            depends_on=values.get("depends_on", ()),
            requires=requires_of(name, values, say, default="any" if self._is_earlier else "all"),
            within_s=values.get("within"),
            when=values.get("when"),
            sees=sees_of(name, values, say),
            handles_failure=values.get("on_dependency_failure") == "run",
            is_earlier=self._is_earlier,
            input_key=values.get("input_key"),
            fan_out=self._fan_out(name, values, say),
            timeout_s=values.get("timeout_seconds"),
            conversation=values.get("conversation"),
        )

    @staticmethod
    def _fan_out(name: str, values: dict[str, Any], say: Say) -> FanOut | None:
        fan_out: FanOut | None = values.get("fan_out")
        if fan_out is None:
            return None
        if fan_out.over is None and not values.get("depends_on"):
            message = f"agent `{name}` has `fan_out: true`, and no `depends_on` whose answer is the list"
            say("fan_out", message, 'Add `depends_on`, or say which list: `fan_out: {over: "${inputs.NAME}"}`.')
        if values.get("conversation"):
            message = f"agent `{name}` has both `fan_out` and `conversation`"
            say("conversation", message, "An agent that runs over items has no history: remove one of them.")
        return fan_out

    def _kind(self, path: tuple[str, int], agent: dict[str, JsonValue], what: str) -> Kind:
        """Return the kind of the agent: the one whose key it has, else the kind that asks a model."""
        named = [key for key in KINDS if key in agent and key != MODEL.key]
        for other in named[1:]:
            self._fields.problem(
                f"{what} has both `{named[0]}` and `{other}`",
                (*path, other),
                at_key=True,
                hint="An agent does one kind of work: keep one of them.",
            )
        return KINDS[named[0]] if named else MODEL

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
