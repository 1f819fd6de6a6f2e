"""Errors of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors.base import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.errors.problem import Problem


class SettingsError(LlmOrcError):
    """The configuration is wrong, or names something that does not exist.

    `problems` has what is wrong in its files; empty if the error is about something else.
    """

    code = "settings"
    exit_code = 3

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class ProfileNotFound(SettingsError):
    """An agent names a model profile that no settings define."""

    code = "profile_not_found"


class MissingExtra(SettingsError):
    """A part of the program is not installed; the hint has the command that installs it."""

    code = "missing_extra"
