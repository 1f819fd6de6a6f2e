"""Errors of ensembles: their YAML, and what they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors.base import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Sequence


class EnsembleError(LlmOrcError):
    """An ensemble cannot be used: its YAML, or what it names."""

    code = "ensemble"
    exit_code = 3


class EnsembleNotFound(EnsembleError):
    """No ensemble has this name; the hint names the closest."""

    code = "ensemble_not_found"


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


class EnsembleInvalid(EnsembleError):
    """Carries every problem found, in file order."""

    code = "ensemble_invalid"

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [f"{p} ({p.hint})" if p.hint else str(p) for p in self.problems[:50]]
        more = len(self.problems) - len(lines)
        return "\n".join([self.message, *lines, *([f"and {more} more"] if more else [])])


class EnsembleCycle(EnsembleInvalid):
    """Agents wait for each other; `cycle` names them in order, the first again at the end."""

    code = "ensemble_cycle"

    def __init__(
        self,
        message: str,
        *,
        cycle: Sequence[str] = (),
        problems: Sequence[Problem] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, problems=problems, hint=hint)
        self.cycle = tuple(cycle)
