"""The base of all errors, and the errors of no family."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from llm_orc.errors.problem import Problem

_MOST_LISTED = 50


class LlmOrcError(Exception):
    """The base of all: `message` says what happened to what, `hint` says what to do next."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    may_be_billed: bool = False  # a call was sent and may be billed
    payload: object = None  # what a program wrote along with its failure, as JSON
    problems: tuple[Problem, ...] = ()  # everything that is wrong in the files, in their order

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"{p} ({p.hint})" if p.hint else str(p) for p in self.problems[:_MOST_LISTED]]
        more = len(self.problems) - len(lines)
        return "\n".join([self.message, *lines, *([f"and {more} more"] if more else [])])

    def __copy__(self) -> Self:
        """Exceptions are copied by their arguments, which here are not the whole state."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin


class InputError(LlmOrcError):
    """The given task can't be used: too large, not text, given twice, or missing."""

    code = "input"
    exit_code = 2


class InternalError(LlmOrcError):
    """An error that llm-orc did not foresee; `__cause__` is the exception that was raised."""

    code = "internal_error"
