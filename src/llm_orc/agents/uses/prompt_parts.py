"""What an agent is asked is made of: how often the task, which answers, which inputs. For estimates and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.uses.graph import names_of, targets_of, texts_of
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.jsontypes import JsonValue


@dataclass(frozen=True, slots=True)
class PromptParts:
    """The parts of what an agent is asked, each as often as it stands there.

    `literal` has the characters of its own prompt; its system prompt is counted with its model.
    """

    tasks: int = 1
    answers: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    literal: int = 0

    def input_characters(self, values: Mapping[str, JsonValue]) -> int:
        return sum(len(as_text(values.get(name))) for name in self.inputs)


def prompt_parts(graph: AgentGraph) -> dict[str, PromptParts]:
    """Return the parts for each agent of the graph."""
    names = names_of(graph)
    return {spec.name: _parts_of(spec, [*targets_of(spec, names)]) for spec in graph.agents}


def _parts_of(spec: AgentSpec, targets: list[tuple[str, str]]) -> PromptParts:
    answers = [name for root, name in targets if root == "agent"]
    tasks = sum(root == "task" for root, _ in targets)
    own = next((text for text in texts_of(spec) if text.key == "prompt"), None)
    if own is None:
        answers += spec.depends_on if spec.sees != "task" else ()
        tasks += not spec.depends_on or spec.sees != "dependencies"
    inputs = tuple(name for root, name in targets if root == "inputs")
    return PromptParts(tasks, tuple(answers), inputs, len(own.text) if own else 0)
