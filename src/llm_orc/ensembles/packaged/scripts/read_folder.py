"""Read the text files below a folder, and say which were left out, and why.

`read_folder.py FOLDER [PATTERNS]`; PATTERNS are names such as `*.md, *.txt`. Hidden files and folders are not
read, nor what is usually a secret; no link is followed, and nothing is written.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FILES = 100
MOST_CHARACTERS = 30_000  # of one file
MOST_IN_ALL = 1_000_000
_MOST_BYTES = 4 * MOST_CHARACTERS + 4
MOST_SEEN = 10_000  # names, before it gives up
_NOT_READ = frozenset({"node_modules", "__pycache__", "venv", "target", "dist", "build"})
_SECRETS = ("*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "id_rsa*", "id_ed25519*", "id_ecdsa*", "*credentials*")


def main() -> None:
    folder = Path(sys.argv[1]).expanduser()
    patterns = [one.strip() for one in (sys.argv[2] if len(sys.argv) > 2 else "").split(",") if one.strip()]
    if not folder.is_dir():
        sys.exit(f"`{folder}` is no folder")
    files: list[dict[str, str]] = []
    left_out: list[str] = []
    room = MOST_IN_ALL
    for name in names_below(folder, left_out):
        if patterns and not any(fnmatch(Path(name).name, one) or fnmatch(name, one) for one in patterns):
            continue
        try:
            text = text_of(folder / name)
        except ValueError as e:
            left_out.append(f"{name}: {e}")
            continue
        if len(files) == MOST_FILES or room <= 0:
            left_out.append(f"{name}: beyond {MOST_FILES} files or {MOST_IN_ALL:,} characters")
        elif text.strip():
            kept = text[: min(MOST_CHARACTERS, room)]
            room -= len(kept)
            cut = {} if len(kept) == len(text) else {"note": f"only the first {len(kept):,} characters"}
            files.append({"path": name, "text": kept, **cut})
    if not files:
        sys.exit(f"no text file to read is below `{folder}`{f' ({len(left_out)} left out)' if left_out else ''}")
    if len(left_out) > MOST_FILES:
        left_out = [*left_out[:MOST_FILES], f"and {len(left_out) - MOST_FILES:,} more"]
    names = [file["path"] for file in files]
    document = {"files": files, "names": names, "left_out": left_out}
    sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


def names_below(folder: Path, left_out: list[str]) -> Iterator[str]:
    """Yield the files' names, relative and with `/`, in order: no link, nothing hidden, nothing secret."""
    seen = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in _NOT_READ)
        for file in sorted(files):
            seen += 1
            if seen > MOST_SEEN:
                left_out.append(f"all after {MOST_SEEN:,} files")
                return
            name = Path(parent, file).relative_to(folder).as_posix()
            if file.startswith("."):
                continue
            if any(fnmatch(file.lower(), one) for one in _SECRETS):
                left_out.append(f"{name}: may be a secret")
            else:
                yield name


def text_of(file: Path) -> str:
    """Return the beginning of a regular file. Raises `ValueError` with what else it is."""
    if file.is_symlink():
        raise ValueError("a link")
    try:
        opened = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as e:
        raise ValueError(e.strerror or "it can't be read") from None
    with os.fdopen(opened, "rb") as stream:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise ValueError("no regular file")
        beginning = stream.read(_MOST_BYTES)
    if b"\0" in beginning:
        raise ValueError("no text")
    try:
        return beginning.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        if len(beginning) < _MOST_BYTES or e.start < _MOST_BYTES - 4:
            raise ValueError("no text in UTF-8") from None
        return beginning[: e.start].decode("utf-8-sig")  # it was cut within a character


if __name__ == "__main__":
    main()
