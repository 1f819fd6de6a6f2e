"""The ensemble files below a folder, and a cheap way to read the name in each."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.storage.yaml_source import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES = (".yaml", ".yml")
_NAME = re.compile(
    rb"""^name[ ]*:[ ]+
    (?: "([^"\\\r\n]+)" | '([^'\r\n]+)' | ([^\s"'|>&*!%@`\#{}\[\],][^\#:\r\n]*) )
    [ ]*(?:[ ]\#.*)?\r?$""",
    re.MULTILINE | re.VERBOSE,
)


def ensemble_files(folder: Path, *, also: str | None = None) -> list[Path]:
    """Return all YAML files below `folder`, sorted, without hidden ones and unreadable folders.

    `also`: the name of hidden folders that are not left out.
    """
    return sorted(_walk(folder, also))


def _walk(folder: Path, also: str | None) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") or f == also]
        yield from (Path(parent, f) for f in files if f.endswith(_SUFFIXES) and not f.startswith("."))


def glance_at_name(path: Path) -> str | None:
    """Return the ensemble's name without parsing the file; None if only a parser can tell."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        found = _NAME.findall(path.read_bytes())
    except OSError:
        return None
    if len(found) != 1:
        return None
    name: bytes = next(part for part in found[0] if part)
    return name.decode("utf-8", "replace").strip()
