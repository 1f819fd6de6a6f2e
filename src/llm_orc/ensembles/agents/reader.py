"""Read lists of agents, by the rows of their kinds."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from llm_orc.agents.attachments.read import read_attachments
from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.kind import AgentKeys, Surroundings
from llm_orc.agents.kinds import KINDS
from llm_orc.agents.model.kind import MODEL
from llm_orc.agents.references.syntax import is_special, literal
from llm_orc.agents.references.text import Text
from llm_orc.agents.repeats.check import spec_problems
from llm_orc.agents.samples.spec import Judge
from llm_orc.agents.spec import AgentSpec
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.earlier.keys import check_input_key, requires_of, sees_of
from llm_orc.ensembles.fields import FRAME_FIELDS
from llm_orc.storage.field_types import type_of
from llm_orc.storage.yaml_source import KeyPath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.kind import Kind, Say
    from llm_orc.agents.samples.spec import Samples
    from llm_orc.ensembles.guarded import Guarded
    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.field import Fields
    from llm_orc.storage.yaml_fields import FieldReader


@dataclass(slots=True)
class AgentList:
    """The agents of one list, which is at `path` in its document.

    `index` has the place of every agent with a usable name, even if the rest of it is wrong, and `depends_on` what
    each says that it depends on. `within` are the lists that stand within its agents, by the agent.
    """

    path: KeyPath
    agents: list[AgentSpec] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    depends_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    within: dict[str, list[AgentList]] = field(default_factory=dict)

    def place_of(self, agent: str) -> KeyPath:
        """Return the path of an agent that is in `index`."""
        return (*self.path, self.index[agent])


class AgentReader:
    """Reads the lists of one document. What is wrong with them becomes problems of `fields`."""

    def __init__(self, fields: FieldReader, guard: Guarded, around: Surroundings) -> None:
        self._fields, self._guard, self._around = fields, guard, around
        self.is_earlier = False  # as a whole, it could be a file of an earlier release
        self.values: dict[str, Any] = {}  # those in effect, by dotted key: `agents.judge.model`

    def read(self, path: KeyPath, agents: Sequence[JsonValue], above: str = "") -> AgentList:
        """Read the list at `path`; `above` is the beginning of its agents' paths."""
        found = AgentList(path)
        for i, agent in enumerate(agents):
            self._read_agent(found, i, agent, above)
        return found

    def _read_agent(self, into: AgentList, i: int, agent: JsonValue, above: str) -> None:
        path = (*into.path, i)
        if not isinstance(agent, dict):
            self._fields.problem(f"an agent must be a mapping, not {type_of(agent)}", path)
            return
        shown = agent.get("name")
        what = f"agent `{shown[:80]}`" if isinstance(shown, str) and shown else f"agent number {i + 1}"
        kind = self._kind(path, agent, what)
        rows = {**FRAME_FIELDS, **kind.fields}
        values = self._fields.read(path, agent, rows, what, elsewhere=_keys_of_others(kind))
        name = values.get("name")
        if name is not None and self._is_first(into, name, i):
            into.depends_on[name] = values.get("depends_on", ())
            values = self._guard.taken(path, f"agents.{above}{name}.", values, rows)
            self.values |= {f"agents.{above}{name}.{key}": value for key, value in values.items()}
            into.within[name] = []
            into.agents.append(self._spec(kind, values, path, above, into.within[name]))

    def _is_first(self, into: AgentList, name: str, i: int) -> bool:
        first = into.index.setdefault(name, i)
        if first == i:
            return True
        line = self._fields.document.value_at((*into.path, first, "name")).line
        self._fields.problem(
            f"two agents are called `{name}`, the first on line {line}",
            (*into.path, i, "name"),
            hint="Give each agent a different name.",
        )
        return False

    def _spec(
        self, kind: Kind, values: dict[str, Any], path: KeyPath, above: str, within: list[AgentList]
    ) -> AgentSpec:
        """Return the agent at `path`; lists of agents that stand in it are added to `within`."""
        name = values["name"]

        def say(key: str, message: str, hint: str | None = None, *, within: KeyPath = ()) -> None:
            self._fields.problem(message, (*path, *Text(key, "").path, *within), at_key=True, hint=hint)

        def warn(key: str, message: str, hint: str | None = None, *, within: KeyPath = ()) -> None:
            place = (*path, *Text(key, "").path, *within)
            self._fields.ignored.append(self._fields.document.problem(message, place, at_key=True, hint=hint))

        def read_mapping(key: str, mapping: Mapping[str, JsonValue], rows: Fields, what: str) -> dict[str, Any]:
            return self._fields.read((*path, *Text(key, "").path), mapping, rows, what)

        def read_agents(key: str, agents: Sequence[JsonValue]) -> tuple[AgentSpec, ...]:
            within.append(self.read((*path, *Text(key, "").path), agents, f"{above}{name}/"))
            return tuple(within[-1].agents)

        if self.is_earlier and is_special(prompt := values.get("system_prompt") or ""):
            values = {**values, "system_prompt": literal(prompt)}
            message = f"agent `{name}` has `${{` in its system prompt, which is text, as in earlier releases"
            warn("system_prompt", message, "Write `$${` for it: elsewhere `${…}` is a reference.")
        check_input_key(name, values, say)
        keys = AgentKeys(name, values, say, warn, self._around, read_mapping, read_agents)
        work = kind.read(keys)
        self._guard.programs((*path, kind.key), f"agents.{above}{name}.{kind.key}", kind.needs(work).programs)
        spec = AgentSpec(
            name=name,
            work=work,
            depends_on=values.get("depends_on", ()),
            requires=requires_of(name, values, say, default="any" if self.is_earlier else "all"),
            within_s=values.get("within"),
            save_as=values.get("save_as"),
            cache=values.get("cache"),
            attachments=read_attachments(keys, kind),
            when=values.get("when"),
            sees=sees_of(name, values, say),
            handles_failure=values.get("on_dependency_failure") == "run",
            is_earlier=self.is_earlier,
            input_key=values.get("input_key"),
            fan_out=values.get("fan_out"),
            samples=_samples(name, values, say),
            ceilings=Ceilings(values.get("max_cost"), values.get("max_calls"), values.get("max_total_tokens")),
            timeout_s=values.get("timeout_seconds"),
            conversation=values.get("conversation"),
        )
        for problem in spec_problems(spec):
            say(problem.key, problem.message, problem.hint, within=problem.within)
        return spec

    def _kind(self, path: KeyPath, agent: dict[str, JsonValue], what: str) -> Kind:
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


def _keys_of_others(kind: Kind) -> dict[str, str]:
    """Return the keys that only agents of other kinds have, each with what to say of one in an agent of `kind`."""
    does = f"this one has `{kind.key}`" if kind is not MODEL else "this one asks a model"
    return {
        key: f"`{key}` is for agents {'that ask a model' if other is MODEL else f'with `{other.key}`'}; {does}."
        for other in KINDS.values()
        if other is not kind
        for key in other.fields
        if key not in kind.fields
    }


def _samples(name: str, values: dict[str, Any], say: Say) -> Samples | None:
    samples: Samples | None = values.get("samples")
    vote: str | Judge | None = values.get("vote")
    if samples is None:
        if vote is not None:
            say("vote", f"agent `{name}` has `vote`, and is asked once", "Add `samples: 5`, or remove `vote`.")
        return None
    if isinstance(vote, Judge):
        return replace(samples, judge=vote)
    return samples if vote is None else replace(samples, vote=vote)
