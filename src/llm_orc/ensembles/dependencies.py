"""Which agent needs which in a file: `depends_on`, references in texts, and cycles, each at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.agents.kinds import kind_of, needs_of
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.agents.uses.graph import condition_findings, names_of, texts_of, uses_of
from llm_orc.agents.uses.place import names_at
from llm_orc.ensembles.cycles import find_cycles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.references.names import Names
    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.agents.uses.graph import Uses
    from llm_orc.ensembles.agents.reader import AgentList
    from llm_orc.errors import Problem
    from llm_orc.storage.yaml_fields import FieldReader


class Dependencies:
    """Checks the dependencies of the agents of one list, which are `graph`, and of those that stand within them.

    For these, `around` are the names that are known around them; `from_answers`: see `Names`.
    """

    def __init__(
        self,
        fields: FieldReader,
        agents: AgentList,
        graph: AgentGraph,
        from_answers: frozenset[str] = frozenset(),
        around: Names | None = None,
    ) -> None:
        self._fields, self._list, self._graph = fields, agents, graph
        self._index, self._written = agents.index, agents.depends_on
        self._agents = agents.agents
        self._names = names_of(graph, agents.index.keys(), from_answers, around)
        self._uses: Uses = uses_of(graph, agents.index.keys(), from_answers, around)
        self._within = [*self._lists_within()]

    def _lists_within(self) -> Iterator[tuple[AgentSpec, Dependencies]]:
        for spec in self._agents:
            here = names_at(spec, self._names)
            given = kind_of(spec.work).from_answers(spec, here)
            for inner in self._list.within[spec.name]:
                body = NestedEnsemble(spec.name, tuple(inner.agents), is_body=True)
                yield spec, Dependencies(self._fields, inner, body, given, here)

    def check(self) -> tuple[str, ...]:
        """Report every problem. Return the first cycle, if cycles are the only kind of problem in the file."""
        self._check_names()
        self._check_references()
        self._check_numbers()
        cycles = [self._check_cycles(), *(inner.check() for _, inner in self._within)]
        return next((cycle for cycle in cycles if cycle), ())

    def check_condition(self, key: str, condition: str | None) -> None:
        """Report what is wrong with a condition of the ensemble itself."""
        for finding in condition_findings(self._graph, key, condition, self._index.keys()):
            place = self._fields.document.place_in((key,), finding.text, finding.start, finding.end)
            self._fields.problems.append(self._fields.document.problem_at(finding.message, place, finding.hint))

    def check_prompts(self, *, takes_task: bool) -> None:
        """Report agents that would be asked nothing, and keys that say in two ways what an agent is asked."""
        for spec in self._agents:
            path = self._list.place_of(spec.name)
            has_prompt = any(text.key == "prompt" for text in texts_of(spec))
            if has_prompt and spec.sees != "all":
                self._fields.problem(
                    f"agent `{spec.name}` has both `prompt` and `sees`",
                    (*path, "sees"),
                    at_key=True,
                    hint="What it sees is what its `prompt` refers to: keep one of them.",
                )
            gets_task = takes_task and spec.sees != "dependencies"
            gets_answers = bool(spec.depends_on) and spec.sees != "task"
            if needs_of(spec.work).models and not (has_prompt or gets_task or gets_answers):
                self._fields.problem(
                    f"agent `{spec.name}` is asked nothing: it sees neither a task nor an answer",
                    path,
                    hint="Give it a `prompt`, for example with `${inputs.NAME}`.",
                )
        for spec, inner in self._within:
            has_task = any(text.key == "task" for text in texts_of(spec))
            inner.check_prompts(takes_task=takes_task or has_task or bool(spec.depends_on))

    def _check_names(self) -> None:
        for name, wanted in self._written.items():
            for missing in (w for w in wanted if w not in self._index):
                of = "ensemble" if self._names.around is None else "loop"
                self._fields.problem(
                    f"agent `{name}` depends on `{missing[:80]}`, which is not an agent of this {of}",
                    self._written_at(name, missing),
                    hint=self._instead(name, missing),
                )

    def _instead(self, name: str, missing: str) -> str | None:
        around = self._names.around
        while around is not None:
            if missing in around.agents:
                return f"It is around the loop: refer to it with `${{{missing}}}`, or let the loop depend on it."
            around = around.around
        return self._fields.question(missing, [n for n in self._index if n != name])

    def _check_references(self) -> None:
        document = self._fields.document
        for finding in self._uses.findings:
            path = (*self._list.place_of(finding.agent), *Text(finding.key, "").path)
            message = f"agent `{finding.agent}`: {finding.message}"
            place = document.place_in(path, finding.text, finding.start, finding.end)
            self._fields.problems.append(document.problem_at(message, place, finding.hint))

    def _check_numbers(self) -> None:
        for spec in self._agents:
            needs = self._uses.needs[spec.name]
            if isinstance(spec.requires, int) and needs and spec.requires > len(needs):
                self._fields.problem(
                    f"agent `{spec.name}` requires {spec.requires} answers, and depends on {len(needs)}",
                    (*self._list.place_of(spec.name), "requires"),
                )

    def _check_cycles(self) -> tuple[str, ...]:
        cycles = find_cycles({**self._written, **self._uses.needs})
        only = cycles[0] if cycles and not self._fields.problems else ()
        for cycle in cycles:
            shown = " → ".join(cycle if len(cycle) <= 12 else (*cycle[:6], "…", *cycle[-5:]))
            message = f"agents wait for each other: `{shown}`"
            if len(cycle) == 2:
                message = f"agent `{cycle[0]}` depends on itself: `{shown}`"
            self._fields.problems.append(self._problem(cycle[0], cycle[1], message))
        return only

    def _problem(self, name: str, wanted: str, message: str) -> Problem:
        """Return a problem where `name` says that it depends on `wanted`: in `depends_on`, or by a reference."""
        document = self._fields.document
        if wanted in self._written[name]:
            return document.problem(
                message, self._written_at(name, wanted), hint="Remove one of these `depends_on`."
            )
        text, reference = self._uses.places[name, wanted]
        path = (*self._list.place_of(name), *text.path)
        hint = "A reference makes a dependency: remove one of these."
        place = document.place_in(path, text.text, reference.start, reference.end)
        return document.problem_at(message, place, hint)

    def _written_at(self, name: str, wanted: str) -> tuple[str | int, ...]:
        path = (*self._list.place_of(name), "depends_on")
        written: Any = self._fields.document.data
        for step in path:
            written = written[step]
        if not isinstance(written, list):
            return path
        return (*path, next(i for i, w in enumerate(written) if w in (wanted, {"agent_name": wanted})))
