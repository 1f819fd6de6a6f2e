"""Errors of the configuration."""

from __future__ import annotations

from llm_orc.errors.base import LlmOrcError


class SettingsError(LlmOrcError):
    """The configuration is wrong, or names something that does not exist."""

    code = "settings"
    exit_code = 3


class ProfileNotFound(SettingsError):
    """An agent names a model profile that no settings define."""

    code = "profile_not_found"


class MissingExtra(SettingsError):
    """A part of the program is not installed; the hint has the command that installs it."""

    code = "missing_extra"
