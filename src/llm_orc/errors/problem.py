"""One thing wrong in a file, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. `line` and `column` count from 1; 0 means the file as a whole."""

    message: str
    file: Path | None = None
    line: int = 0
    column: int = 0
    hint: str | None = None

    def __str__(self) -> str:
        if self.file is None:
            return self.message
        at = f"{self.file}:{self.line}:{self.column}" if self.line else f"{self.file}"
        return f"{at}: {self.message}"


def count_of(problems: Sequence[Problem]) -> str:
    return f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
