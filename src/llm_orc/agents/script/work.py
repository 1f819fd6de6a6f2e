"""The work of an agent that runs a program."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llm_orc.agents.work import Work
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

Output = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class ScriptWork(Work):
    """Run a program; its standard output is the answer.

    Either `argv`, the program and its arguments, in which references are filled in; or `line`, which a shell reads
    as it is. `file` is the file that the first word of `argv` names: the program that runs it is chosen by its
    first line or its ending. `cwd` None: the directory of this process. A variable of `env` without a value has
    the one that this process has.

    `digests` has the SHA-256 of each file that is known to be run, by its place, as it was when the work was read.
    With another content it is not run.
    """

    argv: tuple[str, ...] = ()
    file: str | None = None
    line: str | None = None
    stdin: str | None = None  # None: a JSON document with all that the agent knows
    env: dict[str, str | None] = field(default_factory=dict)
    cwd: str | None = None
    output: Output | None = None  # None: text, and what it says as JSON counts as earlier releases read it
    schema: dict[str, JsonValue] | None = None  # its output is JSON that satisfies this JSON Schema
    parameters: dict[str, JsonValue] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    kind: str = field(default="script", init=False, repr=False)
