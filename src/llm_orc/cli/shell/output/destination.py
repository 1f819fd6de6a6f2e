"""Where the answers of a command go, and in which format."""

from __future__ import annotations

from pathlib import Path

from llm_orc.dataclass import dataclass
from llm_orc.formats.format import Format


@dataclass(frozen=True, slots=True)
class Output:
    """Where the answers go and how. `file` None: standard output."""

    form: Format
    file: Path | None = None
    quiet: bool = False
