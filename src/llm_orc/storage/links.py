"""Distinguish files in a project from links in it, which may lead to anything that its user can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

_PROJECT_FOLDER = ".llm-orc"


def is_linked(path: Path) -> bool:
    """True if a file in a project's folder, or a folder on the path to it, is a link."""
    absolute = path.absolute()
    if _PROJECT_FOLDER not in absolute.parts:
        return False
    for part in (absolute, *absolute.parents):
        if part.is_symlink():
            return True
        if part.name == _PROJECT_FOLDER:
            return False
    return False


def link_problem(path: Path, what: str) -> Problem:
    """Return the problem of a link whose target is no `what`.

    A message that quoted the target would show a private file to anyone who reads a log.
    """
    return Problem(f"is a link whose target is no {what}", path, hint="See where it leads, or delete it.")
