"""Which agent needs which in a file: `depends_on`, references in texts, and cycles, each at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import AgentGroup
from llm_orc.agents.uses.graph import condition_findings, texts_of, uses_of
from llm_orc.ensembles.cycles import find_cycles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.inputs.spec import InputSpec
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.uses.graph import Uses
    from llm_orc.errors import Problem
    from llm_orc.storage.yaml_fields import FieldReader


class Dependencies:
    """Checks the dependencies of one file. `index` has the place of every agent with a usable name."""

    def __init__(
        self,
        fields: FieldReader,
        index: Mapping[str, int],
        written: Mapping[str, tuple[str, ...]],
        agents: Sequence[AgentSpec],
        inputs: tuple[InputSpec, ...],
    ) -> None:
        self._fields, self._index, self._written, self._agents = fields, index, written, agents
        self._graph = AgentGroup("", tuple(agents), inputs)
        self._uses: Uses = uses_of(self._graph, index.keys())

    def check(self) -> tuple[str, ...]:
        """Report every problem. Return the first cycle, if cycles are the only kind of problem in the file."""
        self._check_names()
        self._check_references()
        self._check_numbers()
        return self._check_cycles()

    def check_condition(self, key: str, condition: str | None) -> None:
        """Report what is wrong with a condition of the ensemble itself."""
        for finding in condition_findings(self._graph, key, condition, self._index.keys()):
            place = self._fields.document.place_in((key,), finding.text, finding.start, finding.end)
            self._fields.problems.append(self._fields.document.problem_at(finding.message, place, finding.hint))

    def check_prompts(self, *, takes_task: bool) -> None:
        """Report agents that would be asked nothing, and keys that say in two ways what an agent is asked."""
        for spec in self._agents:
            path = ("agents", self._index[spec.name])
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

    def _check_names(self) -> None:
        for name, wanted in self._written.items():
            for missing in (w for w in wanted if w not in self._index):
                self._fields.problem(
                    f"agent `{name}` depends on `{missing[:80]}`, which is not an agent of this ensemble",
                    self._written_at(name, missing),
                    hint=self._fields.question(missing, [n for n in self._index if n != name]),
                )

    def _check_references(self) -> None:
        document = self._fields.document
        for finding in self._uses.findings:
            path = ("agents", self._index[finding.agent], *Text(finding.key, "").path)
            message = f"agent `{finding.agent}`: {finding.message}"
            place = document.place_in(path, finding.text, finding.start, finding.end)
            self._fields.problems.append(document.problem_at(message, place, finding.hint))

    def _check_numbers(self) -> None:
        for spec in self._agents:
            needs = self._uses.needs[spec.name]
            if isinstance(spec.requires, int) and needs and spec.requires > len(needs):
                self._fields.problem(
                    f"agent `{spec.name}` requires {spec.requires} answers, and depends on {len(needs)}",
                    ("agents", self._index[spec.name], "requires"),
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
        path = ("agents", self._index[name], *text.path)
        hint = "A reference makes a dependency: remove one of these."
        place = document.place_in(path, text.text, reference.start, reference.end)
        return document.problem_at(message, place, hint)

    def _written_at(self, name: str, wanted: str) -> tuple[str | int, ...]:
        path = ("agents", self._index[name], "depends_on")
        agents: Any = self._fields.document.data
        written = agents["agents"][self._index[name]]["depends_on"]
        if not isinstance(written, list):
            return path
        return (*path, next(i for i, w in enumerate(written) if w in (wanted, {"agent_name": wanted})))
