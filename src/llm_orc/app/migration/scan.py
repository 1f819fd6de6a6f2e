"""Scan the environment, `.env` files and shell start-up files for API keys. Changes nothing."""

from __future__ import annotations

import os
import stat
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llm_orc.app.migration.env_files import KeyLine, read_dotenv, read_fish, read_shell
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from llm_orc.settings.environment import ProcessEnvironment

LIMIT_BYTES = 256 * 1024  # no file in which a person keeps keys is larger
_PROFILES = (".zshenv", ".profile", ".bash_profile", ".zshrc", ".bashrc")
_EXAMPLES = ("example", "sample", "template", "dist", "defaults")

PlaceKind = Literal["environment", "dotenv", "shell-profile", "older-store"]


@dataclass(frozen=True, slots=True)
class FoundVariable:
    """A variable and where it is set. `value` None: it could not be determined; `why` says why."""

    kind: PlaceKind
    name: str
    value: Secret | None = field(repr=False)
    file: Path | None = None
    line: int = 0  # from 1; 0: not in a file
    why: str = ""


def find_variables(around: ProcessEnvironment, names: Collection[str]) -> tuple[FoundVariable, ...]:
    """Return the values of `names` in the process, the working directory and the start-up files, in that order."""
    found = [
        FoundVariable("environment", name, Secret(value))
        for name in names
        if (value := around.environ.get(name, "").strip())
    ]
    for path in dotenv_files(around.cwd):
        found += _in_file("dotenv", path, names, read_dotenv)
    for path in (around.home / name for name in _PROFILES):
        found += _in_file("shell-profile", path, names, read_shell)
    for path in _fish_files(around):
        found += _in_file("shell-profile", path, names, read_fish)
    return tuple(found)


def dotenv_files(folder: Path) -> tuple[Path, ...]:
    """Return `.env` and its variants, such as `.env.local`; templates for others to copy don't count."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.startswith(".env."))
    except OSError:
        names = []
    variants = [name for name in names if not name.endswith(_EXAMPLES)]
    return tuple(path for path in (folder / name for name in (".env", *variants)) if path.is_file())


def _fish_files(around: ProcessEnvironment) -> Iterator[Path]:
    named = around.environ.get("XDG_CONFIG_HOME", "")
    folder = (Path(named) if named.startswith("/") else around.home / ".config") / "fish"
    yield folder / "config.fish"
    try:
        yield from sorted(path for path in (folder / "conf.d").iterdir() if path.suffix == ".fish")
    except OSError:
        return


def _in_file(
    kind: PlaceKind,
    path: Path,
    names: Collection[str],
    read: Callable[[str, Collection[str]], tuple[KeyLine, ...]],
) -> Iterator[FoundVariable]:
    data = read_bytes(path)
    if data is None:
        return
    for line in read(data.decode("utf-8", "replace"), names):
        yield FoundVariable(kind, line.name, line.value, path, line.line, line.why)


def read_bytes(path: Path) -> bytes | None:
    """Return a regular file's content, also behind a link; None if there is none of a usual size."""
    try:
        # Non-blocking, so that a pipe in the file's place can't block us.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > LIMIT_BYTES:
                return None
            return file.read(LIMIT_BYTES)
    except OSError:
        return None
