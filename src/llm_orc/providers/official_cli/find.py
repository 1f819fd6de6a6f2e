"""Find an official CLI on the user's PATH: if it isn't there, the code that drives it needn't be loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported
from llm_orc.providers.official_cli.state import CliState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.catalog.rows import OfficialCliRow


def find_program(row: OfficialCliRow, environ: Mapping[str, str]) -> Path | None:
    """Return the program's path; None: it is not installed."""
    found = shutil.which(row.command, path=environ.get("PATH", ""))
    return None if found is None else Path(found).absolute()  # it is started in another directory


def not_installed(row: OfficialCliRow) -> CliState:
    """Return the state of a program that is not there, with what to do about it."""
    problem = AccessNotSupported(f"`{row.command}` is not installed", hint=row.install_hint)
    return CliState(row.name, row.command, problem=problem)
