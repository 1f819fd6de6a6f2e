"""Errors of ensembles: their YAML, and what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors.base import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.errors.problem import Problem


class EnsembleError(LlmOrcError):
    """An ensemble cannot be used: its YAML, or what it names."""

    code = "ensemble"
    exit_code = 3


class EnsembleNotFound(EnsembleError):
    """No ensemble has this name; the hint names the closest."""

    code = "ensemble_not_found"


class EnsembleInvalid(EnsembleError):
    """Carries every problem found, in file order."""

    code = "ensemble_invalid"

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


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
