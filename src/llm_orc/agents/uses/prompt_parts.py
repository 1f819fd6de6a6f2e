"""What an agent is asked is made of: how often the task, which answers, which inputs. For estimates and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.kinds import kind_of
from llm_orc.agents.path import AgentPath, child_of, is_within, path_of
from llm_orc.agents.references.names import Target
from llm_orc.agents.uses.graph import names_of, targets_of, texts_of
from llm_orc.agents.uses.place import agents_of_list, list_sources, most_items
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llm_orc.agents.references.names import Names
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
    runs: int = 1  # how often it is asked at most: for each item of a list
    has_list: bool = False  # how often is only known when it has its turn

    def input_characters(self, values: Mapping[str, JsonValue]) -> int:
        return sum(len(as_text(values.get(name))) for name in self.inputs)


def prompt_parts(graph: AgentGraph) -> dict[str, PromptParts]:
    """Return the parts for each agent of the graph, and of those within others, by path.

    What a graph within an agent is given counts as all parts of that agent, as its task and as each input.
    """
    return dict(_parts_in(graph, None, PromptParts()))


def _parts_in(graph: AgentGraph, within: AgentPath | None, task: PromptParts) -> Iterator[tuple[str, PromptParts]]:
    names = names_of(graph)
    lists = {spec.name: most_items(spec) for spec in graph.agents if spec.fan_out is not None}
    for spec in graph.agents:
        path = path_of(spec.name) if within is None else child_of(within, spec.name)
        own = _parts_of(spec, names, lists)
        parts = own if within is None else _put_in(own, task, within)
        yield path, parts
        kind = kind_of(spec.work)
        for name, child in kind.children(spec.work).items():
            yield from _parts_in(child, child_of(path, name) if kind.names_children else path, parts)


def _put_in(own: PromptParts, task: PromptParts, within: AgentPath) -> PromptParts:
    """Return the parts of an agent within another, whose task and inputs are each made of `task`."""
    times = own.tasks + len(own.inputs)
    answers = (*(task.answers * times)[:_MOST_PARTS], *(child_of(within, name) for name in own.answers))
    inputs = (task.inputs * times)[:_MOST_PARTS]
    return PromptParts(
        task.tasks * times,
        answers,
        inputs,
        task.literal * times + own.literal,
        task.runs * own.runs,
        task.has_list or own.has_list,
    )


def longest_of(longest: Mapping[str, int], agent: str, usual: int) -> int:
    """Return how long an answer may be: for an agent without a model of its own, that of the longest within it."""
    if agent in longest:
        return longest[agent]
    return max((size for path, size in longest.items() if is_within(path, AgentPath(agent))), default=usual)


def _shown_to(spec: AgentSpec, names: Names) -> tuple[str, ...]:
    listing = agents_of_list(spec, names)
    return tuple(name for name in spec.depends_on if name not in listing) if spec.sees != "task" else ()


def _parts_of(spec: AgentSpec, names: Names, lists: Mapping[str, int]) -> PromptParts:
    """Return the parts; `lists` says how many answers those of agents that run over items are made of."""
    own = next((text for text in texts_of(spec) if text.key == "prompt"), None)
    targets = [(target.root, target.name) for target in _targets(spec, names, has_prompt=own is not None)]
    answers = [name for root, name in targets if root == "agent"]
    tasks = sum(root == "task" for root, _ in targets)
    if own is None:
        answers += spec.depends_on[:1] if spec.input_key is not None else _shown_to(spec, names)
        tasks += spec.input_key is None and (not spec.depends_on or spec.sees != "dependencies")
    literal = len(own.text) if own else 0
    literal += max((len(as_text(one)) for one in _written_items(spec)), default=0)
    inputs = tuple(name for root, name in targets if root == "inputs")
    every = tuple(name for name in answers for _ in range(lists.get(name, 1)))[:_MOST_PARTS]
    has_list = spec.fan_out is not None and not isinstance(spec.fan_out.over, tuple)
    return PromptParts(tasks, every, inputs, literal, most_items(spec), has_list)


def _targets(spec: AgentSpec, names: Names, *, has_prompt: bool) -> Iterator[Target]:
    """Yield what the agent is asked with: in place of the item what its list is from, as no item is longer."""
    fan_out = spec.fan_out
    items: list[Target] = []
    if fan_out is not None:
        items = [*list_sources(spec, names)]
        items += [Target("agent", name) for name in spec.depends_on[:1] if fan_out.over is None]
        if not has_prompt:
            yield from items
    for target in targets_of(spec, names):
        if fan_out is not None and (target.root, target.name) == ("local", fan_out.name):
            yield from items
        else:
            yield target


def _written_items(spec: AgentSpec) -> tuple[JsonValue, ...]:
    over = None if spec.fan_out is None else spec.fan_out.over
    return over if isinstance(over, tuple) else ()
