"""What an agent is asked is made of: how often the task, which answers, which inputs. For estimates and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.files.ref import files_of
from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.kinds import children_of, kind_of
from llm_orc.agents.path import AgentPath, child_of, is_within, path_of
from llm_orc.agents.references.names import Names, Target
from llm_orc.agents.uses.graph import names_after, names_of, targets_of, targets_within, texts_of
from llm_orc.agents.uses.place import agents_of_list, list_sources, most_items, most_runs, names_at
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.jsontypes import JsonValue


_MOST_PARTS = 10_000  # of a prompt: more fit no model


@dataclass(frozen=True, slots=True)
class PromptParts:
    """The parts of what an agent is asked, each as often as it stands there.

    `literal` has the characters of its own prompt; its system prompt is counted with its model.
    """

    tasks: int = 1
    answers: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    literal: int = 0
    runs: int = 1  # how often it is asked at most: for each item of a list, for each sample
    has_list: bool = False  # how often is only known when it has its turn

    def input_characters(self, values: Mapping[str, JsonValue]) -> int:
        return sum(_characters(values.get(name)) for name in self.inputs)


def _characters(value: JsonValue) -> int:
    """Return how long a value can be in a prompt: a file may stand there with its text."""
    if isinstance(value, dict | list) and (files := files_of(value)):
        return sum(len(one.name) + one.size for one in files)
    return len(as_text(value))


@dataclass(frozen=True, slots=True)
class _Level:
    """A graph: the names known in it, the path of the agent that it is within, and what that one gives to it.

    `lists` says how many answers those of agents that run over items are made of, `items` what an item is made of
    that an agent around knows. Each agent is asked `runs` times at most because of those around it.
    """

    names: Names
    within: AgentPath | None = None
    given: PromptParts = PromptParts()
    around: _Level | None = None
    lists: Mapping[str, int] = field(default_factory=dict)
    items: PromptParts = PromptParts(0)
    runs: int = 1
    has_list: bool = False

    def path_of(self, agent: str) -> AgentPath:
        return path_of(agent) if self.within is None else child_of(self.within, agent)

    def parts_of(self, target: Target) -> PromptParts:
        """Return what a reference is filled in with."""
        if target.up:
            assert self.around is not None
            return self.around.parts_of(replace(target, up=target.up - 1))
        match target.root:
            case "agent" | "last":
                times = min(self.lists.get(target.name, 1), _MOST_PARTS)
                return PromptParts(0, (self.path_of(target.name),) * times)
            case "task" | "inputs" if self.within is not None:
                return self.given
            case "task":
                return PromptParts()
            case "inputs":
                return PromptParts(0, inputs=(target.name,))
            case _:
                return self.items


def prompt_parts(graph: AgentGraph) -> dict[str, PromptParts]:
    """Return the parts for each agent of the graph, and of those within others, by path.

    What a graph within an agent is given counts as all parts of that agent, as its task and as each input.
    """
    return dict(_parts_in(graph, _Level(names_of(graph))))


def _parts_in(graph: AgentGraph, level: _Level) -> Iterator[tuple[str, PromptParts]]:
    lists = {spec.name: most_items(spec) for spec in graph.agents if spec.fan_out is not None}
    level = replace(level, lists=lists)
    for spec in graph.agents:
        path = level.path_of(spec.name)
        parts = _parts_of(spec, level)
        yield path, parts
        kind = kind_of(spec.work)
        around = replace(level, names=names_at(spec, level.names), items=_items_of(spec, level))
        for name, child in children_of(spec).items():
            below = child_of(path, name) if kind.names_children else path
            samples = 0 if spec.samples is None else spec.samples.max
            runs = parts.runs * kind.rounds(spec.work) // (samples or 1)  # a judge is asked once about all of them
            within = _Level(
                names_of(child, around=around.names),
                below,
                around=around,
                runs=runs,
                has_list=parts.has_list,
            )
            after = names_after(child, around=around.names)
            carried = (within.parts_of(target) for target in targets_within(spec, name, after))
            chosen_from = PromptParts(0, (path,) * min(samples, _MOST_PARTS))
            yield from _parts_in(child, replace(within, given=_sum([parts, chosen_from, *carried])))


def longest_of(longest: Mapping[str, int], agent: str, usual: int) -> int:
    """Return how long an answer may be: for an agent without a model of its own, that of the longest within it."""
    if agent in longest:
        return longest[agent]
    return max((size for path, size in longest.items() if is_within(path, AgentPath(agent))), default=usual)


def _shown_to(spec: AgentSpec, names: Names) -> tuple[str, ...]:
    listing = agents_of_list(spec, names)
    return tuple(name for name in spec.depends_on if name not in listing) if spec.sees != "task" else ()


def _parts_of(spec: AgentSpec, level: _Level) -> PromptParts:
    own = next((text for text in texts_of(spec) if text.key == "prompt"), None)
    parts = [level.parts_of(target) for target in _targets(spec, level.names, has_prompt=own is not None)]
    if own is None:
        if spec.input_key is None and (not spec.depends_on or spec.sees != "dependencies"):
            parts.append(level.parts_of(Target("task", "task")))
        shown = spec.depends_on[:1] if spec.input_key is not None else _shown_to(spec, level.names)
        parts += [level.parts_of(Target("agent", name)) for name in shown]
    literal = len(own.text) if own else 0
    literal += max((len(as_text(one)) for one in _written_items(spec)), default=0)
    has_list = spec.fan_out is not None and not isinstance(spec.fan_out.over, tuple)
    return replace(
        _sum([*parts, PromptParts(0, literal=literal)]),
        runs=level.runs * most_runs(spec),
        has_list=level.has_list or has_list or spec.samples is not None,
    )


def _sum(parts: Sequence[PromptParts]) -> PromptParts:
    return PromptParts(
        sum(part.tasks for part in parts),
        tuple(name for part in parts for name in part.answers)[:_MOST_PARTS],
        tuple(name for part in parts for name in part.inputs)[:_MOST_PARTS],
        sum(part.literal for part in parts),
    )


def _items_of(spec: AgentSpec, level: _Level) -> PromptParts:
    """Return what an item of the agent is made of, at most."""
    targets = _item_targets(spec, level.names)
    literal = max((len(as_text(one)) for one in _written_items(spec)), default=0)
    return _sum([*map(level.parts_of, targets), PromptParts(0, literal=literal)])


def _item_targets(spec: AgentSpec, names: Names) -> list[Target]:
    """Return what the list of the agent is from, as no item is longer."""
    if spec.fan_out is None:
        return []
    of_first = [Target("agent", name) for name in spec.depends_on[:1] if spec.fan_out.over is None]
    return [*list_sources(spec, names), *of_first]


def _targets(spec: AgentSpec, names: Names, *, has_prompt: bool) -> Iterator[Target]:
    """Yield what the agent is asked with: in place of the item what its list is from."""
    fan_out = spec.fan_out
    items = _item_targets(spec, names)
    if not has_prompt:
        yield from items
    for target in targets_of(spec, names):
        if fan_out is not None and (target.root, target.name, target.up) == ("local", fan_out.name, 0):
            yield from items
        else:
            yield target


def _written_items(spec: AgentSpec) -> tuple[JsonValue, ...]:
    over = None if spec.fan_out is None else spec.fan_out.over
    return over if isinstance(over, tuple) else ()
