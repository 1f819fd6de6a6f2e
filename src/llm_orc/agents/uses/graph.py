"""The references of all agents of a graph: what each agent needs, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.attachments.attached import attachment_texts
from llm_orc.agents.conditions.check import Checker
from llm_orc.agents.conditions.parse import parse_condition
from llm_orc.agents.conditions.syntax import BadCondition
from llm_orc.agents.kinds import bodies_of, is_body, kind_of
from llm_orc.agents.references.names import ROUND, Names, Target, UnknownName
from llm_orc.agents.references.syntax import BadReference, Reference, is_special, parse_template
from llm_orc.agents.references.text import Text
from llm_orc.agents.saving.check import path_problems, same_paths, why_not_in_path
from llm_orc.agents.uses.place import list_texts, names_at, why_no_list
from llm_orc.dataclass import dataclass
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from llm_orc.agents.conditions.check import AnswerFields, Answers
    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.schemas.walk import Schema


_PATH_KEY = "save_as"


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
    """Return the texts of an agent that references are filled in when its turn comes."""
    return tuple(text for text in _texts(spec) if not text.is_condition and not text.within)


def place_texts(spec: AgentSpec) -> tuple[Text, ...]:
    """Return the texts of an agent's place, which are read before it runs: its condition, and its list."""
    when = () if spec.when is None else (Text("when", spec.when, is_condition=True),)
    return (*when, *list_texts(spec))


def path_text(path: str) -> Text:
    """Return the text that says which file the answer of an agent is written to."""
    return Text(_PATH_KEY, path, takes_answers=False, reader="program")


def _path_texts(spec: AgentSpec) -> tuple[Text, ...]:
    return () if spec.save_as is None else (path_text(spec.save_as),)


def conditions_of_work(spec: AgentSpec) -> tuple[Text, ...]:
    """Return the conditions of an agent's work that are decided before it runs."""
    return tuple(text for text in _texts(spec) if text.is_condition and not text.within)


def answers_of(spec: AgentSpec) -> Answers:
    """Return whether the answers of an agent are text or data, as far as that is known."""
    return kind_of(spec.work).answers(spec.work) if spec.fan_out is None else "data"


def fields_of(spec: AgentSpec) -> AnswerFields:
    """Return the fields that the answers of an agent have, as far as they are known."""
    return kind_of(spec.work).answer_fields(spec.work) if spec.fan_out is None else {}


def _as_given(spec: AgentSpec, text: Text) -> Text:
    """Return the text such that an input within the agent that takes files is given nothing else."""
    words = text.key.removeprefix("loop.").split(".")
    if len(words) == 1 or words[0] not in {"inputs", "carry"}:
        return text
    for child in kind_of(spec.work).children(spec.work).values():
        if any(one.name == words[1] and one.type in {"file", "files"} for one in child.inputs):
            return replace(text, reader="file", takes_answers=False)
    return text


def texts_within(spec: AgentSpec) -> tuple[Text, ...]:
    """Return the texts of an agent that refer to the agents within it, and are read after those."""
    return tuple(text for text in _texts(spec) if text.within)


def _texts(spec: AgentSpec) -> tuple[Text, ...]:
    return kind_of(spec.work).texts(spec.work)


def names_of(
    graph: AgentGraph,
    agents: Collection[str] | None = None,
    from_answers: frozenset[str] = frozenset(),
    around: Names | None = None,
) -> Names:
    """Return the names that are known to every agent of the graph. `from_answers`: see `Names`.

    `around` are those that are known to the agent that it is within: the body of a loop knows them too.
    """
    known = frozenset(spec.name for spec in graph.agents) if agents is None else agents
    if is_body(graph):
        return Names(
            known, {}, frozenset({ROUND}), from_answers, last=known, around=around, schema_of=_schemas_of(graph)
        )
    inputs = {spec.name: spec for spec in graph.inputs}
    return Names(known, inputs, from_answers=from_answers, schema_of=_schemas_of(graph))


def _schemas_of(graph: AgentGraph) -> Callable[[str], Schema | None]:
    """Return what finds the schema of an agent's answers; ensembles are looked into when they are asked for."""
    specs = {spec.name: spec for spec in graph.agents}
    known: dict[str, Schema | None] = {}

    def schema_of(agent: str) -> Schema | None:
        if agent not in known:
            known[agent] = answer_schema_of(specs[agent]) if agent in specs else None
        return known[agent]

    return schema_of


def answer_schema_of(spec: AgentSpec) -> Schema | None:
    """Return the schema that the answer of an agent satisfies; None: none is declared, or there are several.

    Of an ensemble within an agent it is that of the agent in it that answers; of several, only if all agree.
    """
    kind = kind_of(spec.work)
    if spec.repeats:
        return None
    if (own := kind.answer_schema(spec.work)) is not None or not kind.gives_childs_answer:
        return own
    found = [output_schema(child) for child in kind.children(spec.work).values()]
    return found[0] if found and all(one == found[0] for one in found) else None


def output_schema(graph: AgentGraph) -> Schema | None:
    """Return the schema that the answer of an ensemble satisfies: that of the agent which gives it; None: none."""
    name = answering_agent(graph, uses_of(graph).needs)
    found = next((spec for spec in graph.agents if spec.name == name), None)
    return None if found is None else answer_schema_of(found)


def answering_agent(graph: AgentGraph, needs: Mapping[str, tuple[str, ...]]) -> str:
    """Return the agent whose answer is that of the whole; empty: there is none.

    It is the one that is named; otherwise the only one that no other waits for, else the last one of the file.
    """
    if graph.answer:
        return graph.answer
    waited_for = {one for found in needs.values() for one in found}
    last = [spec.name for spec in graph.agents if spec.name not in waited_for]
    return last[0] if len(last) == 1 else graph.agents[-1].name if graph.agents else ""


def names_after(
    graph: AgentGraph, from_answers: frozenset[str] = frozenset(), around: Names | None = None
) -> Names:
    """Return the names that are known after each round of the graph, to the agent that it is within."""
    names = names_of(graph, None, from_answers, around)
    return replace(names, local=names.local | {ROUND}, last=names.agents)


def uses_of(
    graph: AgentGraph,
    agents: Collection[str] | None = None,
    from_answers: frozenset[str] = frozenset(),
    around: Names | None = None,
) -> Uses:
    """Find everything that agents refer to. `agents` are the known names; None: those of the graph.

    What the agents in the body of a loop refer to counts as what the loop refers to. What is wrong with them is
    found by calling this for the body.
    """
    search = _search(graph, agents, from_answers, around)
    for spec in graph.agents:
        search.agent(spec)
    search.check_paths(graph.agents)
    return Uses(search.needs, tuple(search.findings), search.places)


def findings_after(spec: AgentSpec, names: Names) -> tuple[Finding, ...]:
    """Return what is wrong with the texts of an agent that refer to those within it."""
    search = _Search(names, {}, {})
    for _ in search.after(spec):
        pass
    return tuple(search.findings)


def condition_findings(
    graph: AgentGraph, key: str, condition: str | None, agents: Collection[str] | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with a condition of the graph itself, which may refer to all of its agents."""
    search = _search(graph, agents)
    if condition is not None:
        search.targets("", Text(key, condition, is_condition=True))
    return tuple(search.findings)


def _search(
    graph: AgentGraph,
    agents: Collection[str] | None,
    from_answers: frozenset[str] = frozenset(),
    around: Names | None = None,
) -> _Search:
    return _searched_with(names_of(graph, agents, from_answers, around), graph)


def _searched_with(names: Names, graph: AgentGraph) -> _Search:
    """Return a search for what refers to the agents of the graph by these names."""
    return _Search(
        names,
        {a.name: answers_of(a) for a in graph.agents},
        {a.name: fields for a in graph.agents if (fields := fields_of(a))},
    )


def targets_of(spec: AgentSpec, names: Names) -> Iterator[Target]:
    """Yield what an agent is given by its texts, as often as they refer to it. Whatever is wrong is left out."""
    search = _Search(names_at(spec, names), {}, {})
    for text in texts_of(spec):
        if text.reader == "evidence":
            continue  # it is only compared with what the agent says
        yield from (target for _, target in search.targets(spec.name, text))


def targets_within(spec: AgentSpec, child: str, names: Names) -> Iterator[Target]:
    """Yield what its texts refer to in the graph `child` within it; `names` are those known after it."""
    search = _Search(names, {}, {})
    for text in texts_within(spec):
        if text.within == child and not text.is_condition:
            yield from (target for _, target in search.targets(spec.name, text))


@dataclass(frozen=True, slots=True)
class _Use:
    """A reference in a text, and what it stands for."""

    text: Text
    reference: Reference
    target: Target

    @property
    def seen_from_outside(self) -> _Use:
        """The same for the graph around."""
        return replace(self, target=replace(self.target, up=self.target.up - 1))


_A_FILE = "Refer to an input of the type `file` or `files`, or to `${task.files}`."
_A_LIST = "A list is an agent's answer or a field of one, an input of the type `array`, or written out."
_OF_A_SHELL = re.compile(r"\$\{([^{}\n]+)\}")


class _Search:
    """Looks through the texts of agents; what is wrong becomes `findings`."""

    def __init__(self, names: Names, answers: Mapping[str, Answers], fields: Mapping[str, AnswerFields]) -> None:
        self._names, self._answers, self._fields = names, answers, fields
        self.needs: dict[str, tuple[str, ...]] = {}
        self.findings: list[Finding] = []
        self.places: dict[tuple[str, str], tuple[Text, Reference]] = {}
        self.around: list[_Use] = []  # what is known around the graph

    def agent(self, spec: AgentSpec) -> None:
        if spec.save_as is not None:
            for problem in path_problems(spec, spec.save_as, self._names):
                self._add(spec.name, path_text(spec.save_as), problem)
        found = dict.fromkeys(spec.depends_on)
        for use in (*self._own(spec), *self._of_body(spec)):
            if use.target.up:
                self.around.append(use.seen_from_outside)
            elif use.target.root == "agent":
                found[use.target.name] = None
                self.places.setdefault((spec.name, use.target.name), (use.text, use.reference))
        self.needs[spec.name] = tuple(found)

    def check_paths(self, agents: Sequence[AgentSpec]) -> None:
        """Report agents that write the same file."""
        for spec, problem in same_paths(agents):
            self._add(spec.name, path_text(spec.save_as or ""), problem)

    def _own(self, spec: AgentSpec) -> Iterator[_Use]:
        of_work = self._of_work(spec)
        for search, texts in (
            (self, place_texts(spec)),
            (of_work, (*conditions_of_work(spec), *texts_of(spec), *_path_texts(spec), *attachment_texts(spec))),
        ):
            for text in texts:
                for reference, target in search.targets(spec.name, _as_given(spec, text)):
                    yield _Use(text, reference, target)
        yield from of_work.after(spec)

    def after(self, spec: AgentSpec) -> Iterator[_Use]:
        """Yield what its texts that are read after the agents within it refer to around these."""
        children = kind_of(spec.work).children(spec.work)
        for text in texts_within(spec):
            if (child := children.get(text.within)) is None:
                continue  # an ensemble that has not been looked up
            search = _searched_with(names_after(child, around=self._names), child)
            for reference, target in search.targets(spec.name, _as_given(spec, text)):
                if target.up:
                    yield _Use(text, reference, target).seen_from_outside
            self.findings += search.findings

    def _of_body(self, spec: AgentSpec) -> Iterator[_Use]:
        """Yield what the agents in the body of a loop refer to around it."""
        around = names_at(spec, self._names)
        for key, body in bodies_of(spec).items():
            for i, inner in enumerate(body.agents):
                search = _Search(names_of(body, around=around), {}, {})
                search.agent(inner)
                for use in search.around:
                    yield replace(use, text=replace(use.text, key=f"{key}.{i}.{use.text.key}"))

    def _of_work(self, spec: AgentSpec) -> _Search:
        """Return the search through what the agent's work says: it knows the item that it is about."""
        if spec.fan_out is None:
            return self
        search = _Search(names_at(spec, self._names), self._answers, self._fields)
        search.findings = self.findings
        return search

    def targets(self, agent: str, text: Text) -> list[tuple[Reference, Target]]:
        """Return the references of a text with what they stand for."""
        if text.is_condition:
            return self._of_condition(agent, text)
        if not is_special(text.text):
            return []
        if text.reader == "nobody":
            self._not_filled_in(agent, text)
            return []
        try:
            references = parse_template(text.text).references
        except BadReference as e:
            self._add(agent, text, e)
            return []
        found = self._resolved(agent, text, references)
        if text.reader == "file":
            self._of_files(agent, text, found)
        if text.reader == "number":
            for reference, target in found:
                self._of_number(agent, text, reference, target)
        return found

    def _is_path_of_file(self, target: Target) -> bool:
        return target.path[-1:] == ("path",) and self._names.is_file(replace(target, path=target.path[:-1]))

    def _of_files(self, agent: str, text: Text, found: Sequence[tuple[Reference, Target]]) -> None:
        """Report what can't be a file that the run was given."""
        is_alone = len(parse_template(text.text).pieces) == 1
        for reference, target in found:
            if target.is_tainted:
                continue  # that is a problem already
            if not self._names.is_file(target):
                self._add(agent, text, _at(reference, f"`{reference}` is no file", _A_FILE))
            elif not is_alone:
                message = f"`{reference}` is a file, and there is text beside it"
                self._add(agent, text, _at(reference, message, "Write the reference alone, as one of the list."))

    def _of_number(self, agent: str, text: Text, reference: Reference, target: Target) -> None:
        """Report what can't be a number that an agent has said."""
        hint = "Ask for JSON (`output_format: json`), and name a field, such as `judge.score`."
        if target.root != "agent" or target.up:
            self._add(agent, text, _at(reference, f"`{reference}` is no answer of the agents in it", hint))
        elif not target.path and self._answers.get(target.name) == "text":
            message = f"`{reference}` is all that the agent says, which is free text and no number"
            self._add(agent, text, _at(reference, message, hint))

    def _not_filled_in(self, agent: str, text: Text) -> None:
        """Report what looks like a reference of ours in a text of another language, which has its own."""
        for found in _OF_A_SHELL.finditer(text.text):
            reference = Reference(found[1], found.start(), found.end())
            with suppress(UnknownName):
                self._names.resolve(reference)
                message = f"`{reference}` is not filled in here: no reference becomes a part of a command"
                hint = "Give it by `stdin` or `env`, and use the variable, such as `$BASE`."
                self._add(agent, text, _at(reference, message, hint))

    def _of_condition(self, agent: str, text: Text) -> list[tuple[Reference, Target]]:
        try:
            condition = parse_condition(text.text)
        except BadCondition as e:
            self._add(agent, text, e)
            return []
        found = self._resolved(agent, text, condition.references)
        if len(found) == len(condition.references):
            for problem in Checker(self._names, self._answers, self._fields).problems(condition):
                self._add(agent, text, problem)
        return found

    def _resolved(self, agent: str, text: Text, references: Sequence[Reference]) -> list[tuple[Reference, Target]]:
        found = []
        for reference in references:
            try:
                target = self._names.resolve(reference)
            except UnknownName as e:
                self._add(agent, text, _at(reference, e.message, e.hint))
                continue
            known = self._fields.get(target.name, {}) if target.is_of_own_agent and target.path else {}
            if known and target.path[0] not in known:
                listed = ", ".join(f"`{name}`" for name in known if name)
                message = f"the answer of `{target.name}` has no field `{target.path[0][:80]}`"
                hint = did_you_mean(target.path[0], known) or f"It has {listed}."
                self._add(agent, text, _at(reference, message, hint))
            if text.key == _PATH_KEY:
                if (problem := why_not_in_path(reference, target)) is not None:
                    self._add(agent, text, problem)
            elif target.is_tainted and not text.takes_answers:
                said = f"`{reference}` is what a model or a tool has said"
                if text.reader == "file":
                    self._add(agent, text, _at(reference, f"{said}, and no such answer names a file", _A_FILE))
                    continue
                message = f"{said}, and no such answer becomes a part of a command"
                self._add(agent, text, _at(reference, message, "Give it by `stdin`, a file or `env`."))
            elif text.reader == "model" and self._is_path_of_file(target):
                message = f"`{reference}` is where programs find a file, and this is read by a model"
                self._add(agent, text, _at(reference, message, 'Attach it: `attachments: ["${inputs.NAME}"]`.'))
            if why := why_no_list(text, target, self._names):
                self._add(agent, text, _at(reference, f"`{reference}` {why}", _A_LIST))
            found.append((reference, target))
        return found

    def _add(self, agent: str, text: Text, problem: BadReference | BadCondition) -> None:
        finding = Finding(agent, text.key, text.text, problem.start, problem.end, problem.message, problem.hint)
        self.findings.append(finding)


def _at(reference: Reference, message: str, hint: str) -> BadReference:
    return BadReference(message, reference.start, reference.end, hint)
