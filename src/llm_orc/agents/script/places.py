"""Find the file that an agent runs, in the folders that belong to its ensemble."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.script.interpreters import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_PROGRAM = Path(__file__).parents[2]
_PACKAGED = "packaged:"
_MOST_LISTED = 500  # files that a misspelt name is compared with


def is_file_name(text: str) -> bool:
    """Return whether a text can only be meant as a file: it has a folder or a known ending, and is one word."""
    if "\n" in text or "${" in text:
        return False
    has_ending = text.lower().endswith(tuple(ENDINGS))
    return has_ending if " " in text or "\t" in text else has_ending or "/" in text or "\\" in text


def find_file(written: str, folders: Sequence[Path]) -> Path | None:
    """Return the file, absolute: in the first of the folders that has it, also written with `-` for `_`."""
    for name in _spellings(written):
        if Path(name).is_absolute() or _WINDOWS_DRIVE.match(name):
            return Path(name) if _is_file(Path(name)) else None
        for folder in folders:
            if _is_file(folder / name):
                return (folder / name).absolute()
    return None


def files_in(folders: Sequence[Path]) -> list[str]:
    """Return the names of what could be meant, for the question whether it was."""
    names: dict[str, None] = {}
    for folder in folders:
        try:
            found = [one.name for one in folder.iterdir() if one.suffix.lower() in ENDINGS]
        except OSError:
            continue
        names.update(dict.fromkeys(sorted(found)))
    return [*names][:_MOST_LISTED]


def place_of(file: Path) -> str:
    """Return how work and records name the file: one of ours alike, wherever this program is installed."""
    if _PROGRAM not in file.parents or ".." in file.parts:
        return str(file)
    return _PACKAGED + file.relative_to(_PROGRAM).as_posix()


def file_at(place: str) -> Path:
    """Return where the file is on this machine."""
    return _PROGRAM / place.removeprefix(_PACKAGED) if is_packaged(place) else Path(place)


def is_packaged(place: str) -> bool:
    """Return whether the file comes with this program, and changes only with it."""
    return place.startswith(_PACKAGED) and ".." not in place


def digest_of(file: Path) -> str:
    """Return the SHA-256 of the file's content in hexadecimal. Raises `OSError`."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _spellings(written: str) -> Iterator[str]:
    """Earlier releases read `scripts/NAME` also below a folder `scripts`, and `-` as `_`."""
    plain = written.replace("\\", "/")
    for one in dict.fromkeys((plain, plain.removeprefix("./"), plain.removeprefix("scripts/"))):
        yield one
        folder, slash, name = one.rpartition("/")
        if "-" in name:
            yield f"{folder}{slash}{name.replace('-', '_')}"
        if "-" in folder:
            yield one.replace("-", "_")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
