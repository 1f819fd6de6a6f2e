"""A text of an agent's work, in which references are filled in."""

from __future__ import annotations

from typing import Literal

from llm_orc.dataclass import dataclass

Reader = Literal["model", "program", "evidence", "nobody", "number", "file"]


@dataclass(frozen=True, slots=True)
class Text:
    """`key` is its place below the agent in a file, with dots: `prompt`, `env.PATH`, `inputs.base`, `argv.2`.

    `takes_answers` False: nothing that models or tools have said may come into it, as it is a part of a command, a
    path, or a name. That is a problem of the file, found before anything runs. `is_condition`: it is a condition,
    and its references are values that it compares.

    `reader` says how it is filled in: for a model, answers stand in tags; for a program they stand as they are.
    `evidence` is what quotes are looked up in: as for a program, and where an agent gave no answer it is empty.
    What is filled in for `nobody` is a text of another language, such as a shell's, in which `${…}` is that
    language's own: only what would name something of ours is a problem. What stands for a `number` is one
    reference to a field of an answer; for a `file`, one reference to files.

    `within` is the name of a graph of agents within the agent (`Kind.children`): then the text is read after these
    have run, and refers to them.
    """

    key: str
    text: str
    takes_answers: bool = True
    is_condition: bool = False
    reader: Reader = "model"
    within: str = ""

    @property
    def path(self) -> tuple[str | int, ...]:
        """Its place as a path of the document."""
        return tuple(int(step) if step.isdecimal() else step for step in self.key.split("."))
