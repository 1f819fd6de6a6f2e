"""A user's own command as a source of tokens: where its program is, and how it is shown."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST_SHOWN = 160  # characters


def find_command(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the absolute path of a program; None: there is none. The working directory is never searched."""
    if name.startswith(("~/", "~\\")):
        name = str(home_of(environ) / name[2:])
    found = shutil.which(name, path=environ.get("PATH", ""))
    return found if found is not None and Path(found).is_absolute() else None


def home_of(environ: Mapping[str, str]) -> Path:
    """Return the user's home directory, in which a command is run: a project's files must not steer it."""
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())


def in_words(argv: Sequence[str]) -> str:
    """Return the command as a shell would take it, on one line, cut if it is long."""
    line = " ".join(shlex.join(argv).split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 1]}…"
