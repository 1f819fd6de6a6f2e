"""The values that an agent's references have when its turn comes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.files.access import NO_FILES, FileAccess
from llm_orc.agents.files.ref import as_json, file_of
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.references.names import TASK_FILES, Names, Target
from llm_orc.agents.references.syntax import Reference
from llm_orc.dataclass import dataclass
from llm_orc.errors import InternalError, ReferenceWithoutValue
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    from llm_orc.agents.spec import AgentSpec

_MOST_SHOWN = 8  # fields
_AROUND_ANSWERS = frozenset(
    {"deliverable", "output"}
)  # where earlier releases had the answer of an ensemble, a loop


@dataclass(frozen=True, slots=True)
class Item:
    """The item of a list that an agent runs for. `index` counts from 0, `total` is how many there are.

    `list_digest` is the same for all items of the list and differs for every other. `sources` are the agents whose
    answers the list is from. `name` is what references call it.
    """

    name: str
    value: JsonValue
    index: int
    total: int
    list_digest: str
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an agent may refer to: `names` says which names there are, the rest what they stand for.

    `outputs` has the answers so far, by agent, and `notes` what readers of some have to know. An agent that has
    is in `skipped` was left out by its condition; one that has ended and is in neither gave no answer.
    """

    names: Names
    task: str
    inputs: Mapping[str, JsonValue]
    run_id: str
    outputs: Mapping[str, AgentOutput]
    notes: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, object] = field(default_factory=dict)
    payloads: Mapping[str, JsonValue] = field(default_factory=dict)  # what programs wrote as they failed
    pending: Collection[str] = ()  # agents that have not ended
    local: Mapping[str, JsonValue] = field(default_factory=dict)
    nested: Mapping[str, str] = field(default_factory=dict)  # agents that others run within: what they are called
    item: Item | None = None  # the item that this turn is about
    is_rehearsal: bool = False  # answers are canned, and may lack the fields that are asked for
    last: Scope | None = None  # of the round before; None: this is the first
    around: Scope | None = None  # of the loop that these agents stand in
    task_files: tuple[FileRef, ...] = ()  # those that came with the task
    files: FileAccess = NO_FILES  # reads what files contain

    def find(self, reference: Reference) -> tuple[Scope, Target]:
        """Return what the reference stands for, and the scope that has its value.

        The root `last` remains only in the first round, where nothing has it.
        """
        target, scope = self.names.resolve(reference), self
        for _ in range(target.up):
            if scope.around is None:
                raise InternalError(f"`{reference}` is known around a loop, and there is nothing around it")
            scope = scope.around
        if target.root == "last" and scope.last is not None:
            return scope.last, replace(target, root="agent", up=0)
        return scope, target

    def without(self, agents: Collection[str]) -> Scope:
        """Return what an agent may refer to that starts without the answers of others, also if they come later."""
        outputs = {name: output for name, output in self.outputs.items() if name not in agents}
        return replace(self, outputs=outputs, pending=frozenset(agents))

    def value_of(self, reference: Reference) -> JsonValue:
        """Return the value. Of an agent without fields it is the text of its answer, with fields its data.

        In the first round, what an agent said in the round before is empty text. Raises `ReferenceWithoutValue`.
        """
        scope, target = self.find(reference)
        return scope.value_at(target, reference)

    def value_at(self, target: Target, reference: Reference) -> JsonValue:
        """Return the value of what `find` has found, of which this is the scope."""
        match target.root:
            case "task":
                return self._of_task(target, reference)
            case "run":
                return self.run_id
            case "inputs":
                return self._given_or_said(self.inputs[target.name], target, reference)
            case "local":
                return self._given_or_said(self.local[target.name], target, reference)
            case "last":
                return ""
            case "agent":
                return self._of_agent(target, reference)

    def _of_task(self, target: Target, reference: Reference) -> JsonValue:
        if target.name != TASK_FILES:
            return self.task
        return self._given([as_json(one) for one in self.task_files], target.path, reference)

    def _given_or_said(self, value: JsonValue, target: Target, reference: Reference) -> JsonValue:
        """What an answer says is a file is none: only what the run was given is read."""
        if target.is_tainted:
            return field_at(value, target.path, reference)
        return self._given(value, target.path, reference)

    def _given(self, value: JsonValue, path: tuple[str, ...], reference: Reference) -> JsonValue:
        for i in range(len(path)):
            if (file := file_of(value)) is not None:
                return self._field_of(file, path[i], reference)
            value = field_at(value, path[i : i + 1], reference)
        return value

    def _field_of(self, file: FileRef, field: str, reference: Reference) -> JsonValue:
        match field:
            case "name":
                return file.name
            case "type":
                return file.media_type
            case "size":
                return file.size
            case "text":
                return self.files.text(file)
            case "path":
                return self.files.copy(file)
            case _:
                pass
        raise ReferenceWithoutValue(f"`{reference}` has no value: a file has no `{field}`")

    def _of_agent(self, target: Target, reference: Reference) -> JsonValue:
        output = self.outputs.get(target.name)
        if output is None:
            why = f"agent `{target.name}` {self.why_absent(target.name)}"
            error = ReferenceWithoutValue(f"`{reference}` has no value: {why}")
            error.absent = target.name
            raise error
        if not target.path:
            return output.text
        return field_at(_data_of(output, reference), target.path, reference)

    def data_of(self, reference: Reference) -> JsonValue:
        """Return the value as data: of an agent without fields too, if its answer is more than text.

        In the first round there is none of the round before. Raises `ReferenceWithoutValue`.
        """
        scope, target = self.find(reference)
        if target.root == "last":
            raise ReferenceWithoutValue(
                f"`{reference}` has no value: this is the first round",
                hint="In a condition, ask first: `${round} > 1 && …`.",
            )
        output = scope.outputs.get(target.name) if target.root == "agent" and not target.path else None
        return scope.value_at(target, reference) if output is None or output.data is None else output.data

    def picked(self, spec: AgentSpec) -> JsonValue:
        """Return the field `input_key` of what the agent's first dependency answered.

        Raises `ReferenceWithoutValue`.
        """
        assert spec.input_key is not None
        agent = spec.depends_on[0]
        try:
            target = Target("agent", agent, (spec.input_key,))
            return self._of_agent(target, Reference(f"{agent}.{spec.input_key}"))
        except ReferenceWithoutValue as e:
            output = self.outputs.get(agent)
            if output is not None and agent in self.nested and spec.input_key in _AROUND_ANSWERS:
                return output.text if output.data is None else output.data
            if self.is_rehearsal:
                return f"[canned value of {agent}.{spec.input_key}]"
            raise ReferenceWithoutValue(f"`input_key` finds nothing: {e.message}", hint=e.hint) from None

    def why_absent(self, agent: str) -> str:
        """Say what became of an agent without an answer, as the end of a sentence about it."""
        if agent in self.skipped:
            return "was skipped by its condition"
        return "has not answered yet" if agent in self.pending else "gave no answer"


def _data_of(output: AgentOutput, reference: Reference) -> JsonValue:
    """Return the answer as data: its own, or its text read as JSON, with or without a fence around it."""
    if output.data is not None:
        return output.data
    try:
        return json_in(output.text)
    except (ValueError, RecursionError):
        raise ReferenceWithoutValue(
            f"`{reference}` has no value: the answer is not JSON",
            hint="Ask the agent for JSON with `output_format: json`, and say which fields in its prompt.",
        ) from None


def json_in(text: str) -> JsonValue:
    """Return the text of an answer as data, with or without a fence around it. Raises `ValueError`."""
    value: JsonValue = json.loads(without_fence(text))
    return value


def without_fence(text: str) -> str:
    """Return what is in the Markdown fence that is all of the text; another text as it is."""
    lines = text.strip().splitlines()
    if len(lines) > 2 and lines[0].strip().casefold() in {"```", "```json"} and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return text


def field_at(value: JsonValue, path: tuple[str, ...], reference: Reference) -> JsonValue:
    """Return the field at `path`: names in mappings, numbers in lists. Raises `ReferenceWithoutValue`."""
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise ReferenceWithoutValue(
                f"`{reference}` has no value: there is no `{step}`; {_what_there_is(value)}"
            )
    return value


def _what_there_is(value: JsonValue) -> str:
    if isinstance(value, dict):
        shown = ", ".join(f"`{name[:40]}`" for name in [*value][:_MOST_SHOWN])
        return f"the fields are {shown}{' …' if len(value) > _MOST_SHOWN else ''}" if shown else "it has no fields"
    if isinstance(value, list):
        return f"it is a list of {len(value)}"
    return "it is no mapping and no list"
