"""Paths below a folder as others write them: taken apart, and refused if they could lead out of it."""

from __future__ import annotations

import os
import re

from llm_orc.errors import StorageError

_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
_LONGEST = 4096
_LONGEST_SHOWN = 120


def parts_of(path: str, *, windows: bool = os.name == "nt") -> tuple[str, ...]:
    """Return the names in a path relative to a folder; none: the folder itself. Raises `StorageError`.

    Refused are absolute paths, `..`, Windows' drives and separators, and there its devices and streams.
    """
    quoted = f"`{_shown(path)}`"
    if len(path) > _LONGEST:
        raise StorageError(f"the path {quoted} is too long")
    if "\0" in path:
        raise StorageError(f"{quoted} is no path: it has a NUL character")
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        raise StorageError(f"{quoted} is not relative: write paths from the root, such as `src/main.py`")
    if "\\" in path:
        raise StorageError(f"{quoted} has a `\\`: write `/` between names")
    names = tuple(name for name in path.split("/") if name not in {"", "."})
    for name in names:
        if name == "..":
            raise StorageError(f"{quoted} leads out of the root: `..` is not allowed")
        if windows and (_DEVICE.fullmatch(name.rstrip(". ")) or ":" in name or name != name.rstrip(". ")):
            raise StorageError(f"{quoted} is no file on this system")
    return names


def _shown(path: str) -> str:
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in path[: _LONGEST_SHOWN + 1])
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"
