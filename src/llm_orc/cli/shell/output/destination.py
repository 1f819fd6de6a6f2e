"""Where the answers of a command go, and in which format."""

from __future__ import annotations

from pathlib import Path

from llm_orc.dataclass import dataclass
from llm_orc.formats.format import Format


@dataclass(frozen=True, slots=True)
class AnswerOnly:
    """The answer of one agent and nothing else. `agent` None: the one whose answer is that of the ensemble.

    In a terminal it is rendered as Markdown, unless it is to be `raw`.
    """

    agent: str | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """Where the answers go and how. `file` None: standard output."""

    form: Format | AnswerOnly
    file: Path | None = None
    quiet: bool = False
