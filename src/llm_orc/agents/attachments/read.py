"""Read the `attachments` of an agent: references are left as they are, a path is looked up."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from llm_orc.agents.references.syntax import is_special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.kind import AgentKeys, Kind

KEY = "attachments"
_BELOW = (
    "Write a path below the folder of this file, or of its project; other files come by an input (`type: file`)."
)


def read_attachments(keys: AgentKeys, kind: Kind) -> tuple[str, ...] | None:
    """Return the references, and the absolute paths of the files; None: the agent says nothing.

    What is wrong becomes problems of the file.
    """
    written: tuple[str, ...] | None = keys.values.get(KEY)
    if written is None:
        return None
    if not kind.takes_attachments:
        message = f"agent `{keys.agent}` is of the kind `{kind.key}`, to which no files are attached"
        keys.say(KEY, message, "A program finds files by `${inputs.NAME.path}`, and on its standard input.")
        return None
    return tuple(_read(keys, i, one) for i, one in enumerate(written))


def _read(keys: AgentKeys, i: int, written: str) -> str:
    if is_special(written):
        return written
    if why := why_no_path(written):
        keys.say(f"{KEY}.{i}", f"agent `{keys.agent}`: `{written[:200]}` {why}", _BELOW)
        return written
    around = keys.around
    folders = [*around.folders[:1], *(() if around.root is None else (around.root,))]
    if (found := _find(written, folders)) is None:
        message = f"agent `{keys.agent}`: there is no file `{written[:200]}` below the folder of the ensemble"
        keys.say(f"{KEY}.{i}", message, _BELOW)
        return written
    return str(found)


def why_no_path(path: str) -> str:
    """Return why an ensemble may not name this file; empty: it may. A hidden file may be one with secrets."""
    plain = path.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    if plain.startswith(("/", "~")) or ":" in plain or ".." in parts:
        return "is not below the folder of the ensemble"
    return "is a hidden file, or in a hidden folder" if any(part.startswith(".") for part in parts) else ""


def _find(written: str, folders: Sequence[Path]) -> Path | None:
    """Return the file, wherever links lead: never to one outside of the folder, or to a hidden one."""
    for folder in folders:
        try:
            root, found = folder.resolve(), (folder / written).resolve()
            if found.is_file() and found.is_relative_to(root) and not why_no_path(str(found.relative_to(root))):
                return found
        except (OSError, ValueError, RuntimeError):
            continue
    return None
