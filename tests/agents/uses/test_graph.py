"""What the agents of a graph need: what they depend on, and what they refer to."""

from __future__ import annotations

from dataclasses import dataclass, field

from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.kind import Kind
from llm_orc.agents.kinds import added
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import AgentGroup, AgentSpec
from llm_orc.agents.uses.graph import uses_of
from llm_orc.agents.uses.prompt_parts import PromptParts, prompt_parts
from llm_orc.agents.work import ModelWork, Work


@dataclass(frozen=True, slots=True)
class CommandWork(Work):
    """A program with arguments, which no answer may come into, and with input, which it may."""

    argv: tuple[str, ...]
    stdin: str
    kind: str = field(default="command", init=False, repr=False)


COMMAND = Kind(
    "command",
    CommandWork,
    read=lambda _keys: CommandWork((), ""),
    run=lambda _context, _work: _nothing(),
    texts=lambda work: (
        *(Text(f"argv.{i}", text, takes_answers=False) for i, text in enumerate(work.argv)),
        Text("stdin", work.stdin),
    ),
)


async def _nothing() -> AgentOutput:
    return AgentOutput("", ())


def test_a_reference_makes_a_dependency_in_every_text() -> None:
    group = AgentGroup(
        "g",
        (
            AgentSpec("a"),
            AgentSpec("b", ModelWork(prompt="${a} and ${a.x}")),
            AgentSpec("c", ModelWork(system_prompt="${b}", prompt="$${a}, ${task}"), depends_on=("a",)),
        ),
    )

    assert uses_of(group).needs == {"a": (), "b": ("a",), "c": ("a", "b")}
    assert uses_of(group).findings == ()


def test_no_answer_becomes_a_part_of_a_command() -> None:
    work = CommandWork(("git", "diff", "${inputs.base}", "--author=${who}"), "${who}")
    group = AgentGroup("g", (AgentSpec("who"), AgentSpec("run", work)), (InputSpec("base"),))

    with added(COMMAND):
        uses = uses_of(group)

    (finding,) = uses.findings
    assert (finding.agent, finding.key, finding.start) == ("run", "argv.3", len("--author="))
    assert "no such answer becomes a part of a command" in finding.message
    assert uses.needs["run"] == ("who",)


def test_what_an_agent_is_asked_is_counted_as_often_as_it_stands_there() -> None:
    group = AgentGroup(
        "g",
        (
            AgentSpec("a"),
            AgentSpec("b", depends_on=("a",)),
            AgentSpec("c", ModelWork(prompt="${a}${a.x}${task}${task}${inputs.i}"), depends_on=("b",)),
            AgentSpec("d", depends_on=("a", "b"), sees="dependencies"),
            AgentSpec("e", ModelWork(system_prompt="${b}"), depends_on=("a",), sees="task"),
        ),
        (InputSpec("i"),),
    )

    assert prompt_parts(group) == {
        "a": PromptParts(1),
        "b": PromptParts(1, ("a",)),
        "c": PromptParts(2, ("a", "a"), ("i",), 35),
        "d": PromptParts(0, ("a", "b")),
        "e": PromptParts(1, ("b",)),
    }
