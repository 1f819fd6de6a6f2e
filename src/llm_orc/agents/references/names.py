"""What a reference may name at its place, and what it then stands for: known before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal

from llm_orc.agents.files.ref import FIELDS
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.references.syntax import LITERAL
from llm_orc.dataclass import dataclass
from llm_orc.schemas.shape import NoSuchField, shape_of
from llm_orc.schemas.walk import Schema
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    from llm_orc.agents.references.syntax import Reference

Root = Literal["task", "inputs", "run", "agent", "local", "last"]
ROUND = "round"  # the number of the round, from 1
INDEX = "index"  # the number of an item, from 0
TASK_FILES = "files"  # in `${task.files}`: those that came with the task
_ELSEWHERE = {"item": "a fan-out", "index": "a fan-out", "last": "a loop", "round": "a loop"}


class UnknownName(ValueError):
    """A reference names nothing that is known at its place."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference stands for: the value of `name`, of an agent its answer, and in it the field at `path`.

    `last`: the answer of that agent in the round before. `up`: in how many loops around the place it is known; 0:
    at the place itself.
    """

    root: Root
    name: str
    path: tuple[str, ...] = ()
    is_answer: bool = False
    up: int = 0

    @property
    def is_of_own_agent(self) -> bool:
        """Whether an agent of the graph at this place has said it, in this round or in the one before."""
        return self.root in {"agent", "last"} and not self.up

    @property
    def is_tainted(self) -> bool:
        """Whether it is something that a model or a tool has said, or comes from that. It may be anything."""
        return self.is_answer


@dataclass(frozen=True, slots=True)
class Names:
    """The names that are known at a place.

    `local` are those that only this place has, such as the item of a fan-out. `from_answers` are the names other
    than agents whose values come from answers: `item`, or `task` and `inputs.x` where the agents around give them.
    `last` are the agents that had a round before (None: there are no rounds), and `around` the names around a
    loop that are known to the agents in it too.

    `files` are the local names that stand for files.

    `schema_of` returns what the answers of an agent satisfy, if that is declared.
    """

    agents: Collection[str] = ()
    inputs: Mapping[str, InputSpec] = field(default_factory=dict)
    local: frozenset[str] = frozenset()
    from_answers: frozenset[str] = frozenset()
    last: Collection[str] | None = None
    around: Names | None = None
    files: frozenset[str] = frozenset()
    schema_of: Callable[[str], Schema | None] = field(default=lambda _agent: None, compare=False, repr=False)

    def resolve(self, reference: Reference) -> Target:
        """Return what the reference stands for. Raises `UnknownName`."""
        first, *rest = reference.words
        taken = ["task", "inputs", "run", *sorted(self.local), *(() if self.last is None else ("last",))]
        if first in taken and first in self.agents:
            listed = ", ".join(f"`{name}`" for name in taken)
            raise UnknownName(
                f"`{reference}` may be the agent `{first}` or what is called so everywhere",
                f"Rename the agent: {listed} are taken in references.",
            )
        if first in self.local:
            if first in self.files:
                _check_file_field(reference, rest)
            return Target("local", first, tuple(rest), first in self.from_answers)
        if first == "last" and self.last is not None:
            return self._last(reference, rest)
        match first:
            case "task":
                return self._task(reference, rest)
            case "run" if rest == ["id"]:
                return Target("run", "id")
            case "run":
                raise UnknownName(f"`{reference}` is unknown: a run has only its `id`", "Write `${run.id}`.")
            case "inputs" if self.around is None:
                return self._input(reference, rest)
            case _:
                return self._agent(reference)

    def _task(self, reference: Reference, rest: list[str]) -> Target:
        if rest[:1] == [TASK_FILES]:
            _check_field_of_files(reference, rest[1:])
            return Target("task", TASK_FILES, tuple(rest[1:]))
        if rest:
            raise UnknownName(
                f"`{reference}` names a field of the task, which is text",
                "Write `${task}`. The files that came with it are `${task.files}`.",
            )
        return Target("task", "task", (), "task" in self.from_answers)

    def _input(self, reference: Reference, rest: list[str]) -> Target:
        if not self.inputs:
            name = rest[0] if rest else "NAME"
            raise UnknownName(
                f"`{reference}` is an input, and the ensemble declares none",
                f"Declare it: `inputs: {{{name}: string}}`.",
            )
        spec = self.inputs.get(rest[0]) if rest else None
        if spec is None:
            listed = ", ".join(f"`${{inputs.{name}}}`" for name in self.inputs)
            near = closest_names(rest[0], self.inputs) if rest else []
            hint = f"Did you mean `${{inputs.{near[0]}}}`?" if near else f"There are {listed}."
            raise UnknownName(f"`{reference}` is no input of this ensemble", hint)
        if spec.type == "file":
            _check_file_field(reference, rest[1:])
        elif spec.type == "files":
            _check_field_of_files(reference, rest[1:])
        elif rest[1:] and spec.type not in {"object", "array"}:
            raise UnknownName(
                f"`{reference}` names a field, but input `{spec.name}` is of the type `{spec.type}`",
                f"Write `${{inputs.{spec.name}}}`, or declare it with `type: object`.",
            )
        return Target("inputs", spec.name, tuple(rest[1:]), f"inputs.{spec.name}" in self.from_answers)

    def is_file(self, target: Target) -> bool:
        """Return whether it is a file, or a list of files."""
        if target.up:
            return self.around is not None and self.around.is_file(replace(target, up=target.up - 1))
        if target.root == "local":
            return target.name in self.files and not target.path
        is_list = (target.root, target.name) == ("task", TASK_FILES)
        if target.root == "inputs":
            kind = self.inputs[target.name].type
            if kind == "file":
                return not target.path
            is_list = kind == "files"
        return is_list and (not target.path or (len(target.path) == 1 and target.path[0].isdecimal()))

    def _check_field(self, reference: Reference, agent: str, path: Sequence[str]) -> None:
        schema = self.schema_of(agent) if path else None
        if schema is None:
            return
        try:
            shape_of(schema).at(path)
        except NoSuchField as e:
            near = closest_names(e.step, e.known)
            there = ", ".join(f"`{name}`" for name in e.known[:8])
            raise UnknownName(
                f"`{reference}` names `{e.step}`, which the schema of agent `{agent}` does not have",
                f"Did you mean `{near[0]}`?" if near else f"In its place, {e.said}{there}.",
            ) from None

    def _agent(self, reference: Reference) -> Target:
        """The agent with the longest name that the words begin with: names may have dots in them."""
        words = reference.words
        if (found := _longest(words, self.agents)) is not None:
            self._check_field(reference, *found)
            return Target("agent", *found, is_answer=True)
        if self.around is not None:
            return self._around(reference, self.around)
        first = words[0]
        if first in _ELSEWHERE:
            raise UnknownName(f"`{reference}` is known only within {_ELSEWHERE[first]}", LITERAL)
        known = ["task", *(f"inputs.{name}" for name in self.inputs), *self.agents]
        near = closest_names(first, known) or closest_names(reference.name, known)
        question = f"Did you mean `${{{near[0]}}}`? " if near else ""
        raise UnknownName(f"`{reference}` names no agent, and nothing else known here", f"{question}{LITERAL}")

    def _around(self, reference: Reference, around: Names) -> Target:
        try:
            found = around.resolve(reference)
        except UnknownName as e:
            near = closest_names(reference.words[0], self.agents)
            raise UnknownName(e.message, f"Did you mean `${{{near[0]}}}`? {LITERAL}" if near else e.hint) from None
        return replace(found, up=found.up + 1)

    def _last(self, reference: Reference, words: list[str]) -> Target:
        known = self.last or ()
        if (found := _longest(words, known)) is not None:
            return Target("last", *found, is_answer=True)
        near = closest_names(words[0], known) if words else []
        listed = ", ".join(f"`${{last.{name}}}`" for name in known)
        raise UnknownName(
            f"`{reference}` names no agent of the round before",
            f"Did you mean `${{last.{near[0]}}}`?" if near else f"There are {listed}.",
        )


def _longest(words: list[str], names: Collection[str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the longest of `names` that the words begin with, as names may have dots, and the words left."""
    for end in range(len(words), 0, -1):
        name = ".".join(words[:end])
        if name in names:
            return name, tuple(words[end:])
    return None


def _check_file_field(reference: Reference, path: Sequence[str]) -> None:
    """Raise `UnknownName` for what a file doesn't have."""
    if not path or (len(path) == 1 and path[0] in FIELDS):
        return
    near = closest_names(path[0], FIELDS)
    listed = ", ".join(f"`{name}`" for name in FIELDS)
    hint = f"Did you mean `{near[0]}`?" if near and len(path) == 1 else f"A file has {listed}."
    raise UnknownName(f"`{reference}` names `{'.'.join(path)}` of a file", hint)


def _check_field_of_files(reference: Reference, path: Sequence[str]) -> None:
    if path and not path[0].isdecimal():
        raise UnknownName(
            f"`{reference}` names `{path[0]}` of a list of files",
            "One of them is a number after a dot, from 0; `fan_out` runs an agent over all.",
        )
    _check_file_field(reference, path[1:])
