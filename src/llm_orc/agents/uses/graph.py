"""The references of all agents of a graph: what each agent needs, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import kind_of
from llm_orc.agents.references.names import Names, UnknownName
from llm_orc.agents.references.syntax import BadReference, Reference, is_special, parse_template
from llm_orc.agents.references.text import Text
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from llm_orc.agents.references.names import Root, Target
    from llm_orc.agents.spec import AgentGraph, AgentSpec


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of one agent: in the text at `key`, at the characters from `start` to `end`."""

    agent: str
    key: str
    text: str
    start: int
    end: int
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Uses:
    """What the agents of a graph refer to. `needs` has for each agent those that it waits for, and no other."""

    needs: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]
    places: Mapping[tuple[str, str], tuple[Text, Reference]]  # (agent, agent that it refers to): where it does so


def texts_of(spec: AgentSpec) -> tuple[Text, ...]:
    """Return the texts of an agent that references are filled in."""
    return kind_of(spec.work).texts(spec.work)


def names_of(graph: AgentGraph, agents: Collection[str] | None = None) -> Names:
    """Return the names that are known to every agent of the graph."""
    known = frozenset(spec.name for spec in graph.agents) if agents is None else agents
    return Names(known, {spec.name: spec for spec in graph.inputs})


def uses_of(graph: AgentGraph, agents: Collection[str] | None = None) -> Uses:
    """Find everything that agents refer to. `agents` are the known names; None: those of the graph."""
    names = names_of(graph, agents)
    needs: dict[str, tuple[str, ...]] = {}
    findings: list[Finding] = []
    places: dict[tuple[str, str], tuple[Text, Reference]] = {}
    for spec in graph.agents:
        found = dict.fromkeys(spec.depends_on)
        for text in texts_of(spec):
            if not is_special(text.text):
                continue
            for reference, target in _targets(spec, text, names, findings):
                if target.root == "agent":
                    found[target.name] = None
                    places.setdefault((spec.name, target.name), (text, reference))
        needs[spec.name] = tuple(found)
    return Uses(needs, tuple(findings), places)


def targets_of(spec: AgentSpec, names: Names) -> Iterator[tuple[Root, str]]:
    """Yield what the texts of an agent refer to, as often as they do. Whatever is wrong is left out."""
    for text in texts_of(spec):
        if is_special(text.text):
            yield from ((target.root, target.name) for _, target in _targets(spec, text, names, []))


def _targets(
    spec: AgentSpec, text: Text, names: Names, findings: list[Finding]
) -> Iterator[tuple[Reference, Target]]:
    """Yield the references of a text with what they stand for; what is wrong becomes findings."""
    try:
        references = parse_template(text.text).references
    except BadReference as e:
        findings.append(Finding(spec.name, text.key, text.text, e.start, e.end, e.message, e.hint))
        return
    for reference in references:
        start, end = reference.start, reference.end
        try:
            target = names.resolve(reference)
        except UnknownName as e:
            findings.append(Finding(spec.name, text.key, text.text, start, end, e.message, e.hint))
            continue
        if target.is_tainted and not text.takes_answers:
            message = (
                f"`{reference}` is what a model or a tool has said, and no such answer becomes a part of a command"
            )
            hint = "Give it by `stdin`, a file or `env`."
            findings.append(Finding(spec.name, text.key, text.text, start, end, message, hint))
        yield reference, target
