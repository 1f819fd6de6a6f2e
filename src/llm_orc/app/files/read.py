"""Read a user's files: what can't be given to a model is refused, before anything is stored or sent."""

from __future__ import annotations

import hashlib
import os
import stat
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import InputError
from llm_orc.formats.printable import one_line
from llm_orc.providers.parts import FileRef
from llm_orc.storage.contents.types import ENDINGS, type_of_content

if TYPE_CHECKING:
    from llm_orc.app.wiring import App

MOST_FILES = 100  # of a run; no provider takes more with one request
_MB = 1024 * 1024
_LONGEST_NAME = 200
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NOTHING_SENT = "Nothing was sent."
_OPEN_FOLDERS = ("ensembles", "scripts", "profiles")  # of our configuration: what is written there is no secret


class FileReader:
    """Reads files for one run, or for many. All methods raise `InputError`.

    `contents` has what was read, by SHA-256; if it `keeps` nothing, `paths` has where it was.
    """

    def __init__(self, app: App, *, keeps: bool = True) -> None:
        self._keeps = keeps
        self.paths: dict[str, Path] = {}
        self._paths, self._most = app.paths, app.settings.runs.max_file_mb
        self.contents: dict[str, bytes] = {}

    @property
    def most_bytes(self) -> int:
        """The largest file."""
        return int(self._most * _MB)

    def read(self, written: str | Path, what: str) -> FileRef:
        """Read a file; `what` begins the message if it can't be given, such as `--attach`."""
        try:
            path = Path(written).expanduser()
            self._refuse_own(path, what)
            data = self._read(path)
        except (OSError, RuntimeError, ValueError) as e:
            why = e.strerror if isinstance(e, OSError) and e.strerror else e
            raise InputError(f"{what}: can't read `{_shown(written)}`: {why}") from e
        found = self.of_bytes(path.name, data, f"{what}: `{_shown(written)}`")
        if not self._keeps:
            self.paths[found.sha256] = path
        return found

    def of_bytes(self, name: str, data: bytes, what: str) -> FileRef:
        """Take a content that has no file; without a name, it gets one by its type."""
        if not data:
            raise InputError(f"{what} is empty", hint=_NOTHING_SENT)
        if len(data) > self.most_bytes:
            raise InputError(
                f"{what} is larger than {self._most:g} MB",
                hint=f"{_NOTHING_SENT} The limit is the setting `runs.max_file_mb`; providers have their own.",
            )
        kind = type_of_content(data, name)
        sha256 = hashlib.sha256(data).hexdigest()
        if self._keeps:
            self.contents.setdefault(sha256, data)
        if len(self.contents) > MOST_FILES:
            raise InputError(f"a run takes at most {MOST_FILES} files", hint="Give each row of a batch its own.")
        return FileRef(_safe_name(name) or f"file{ENDINGS.get(kind, '')}", kind, len(data), sha256)

    def read_all(self, written: str | Path, what: str) -> list[FileRef]:
        """Read a file, the files of a folder, or those that a pattern (`scans/*.png`) names, by name."""
        return [self.read(path, what) for path in paths_of(written, what)]

    def _read(self, path: Path) -> bytes:
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise ValueError("it is a folder")
            if not stat.S_ISREG(mode):
                raise ValueError("it is not a regular file; pipe it in, as `-`")
            return file.read(self.most_bytes + 1)

    def _refuse_own(self, path: Path, what: str) -> None:
        """Credentials, and what is stored of runs, are given to nobody."""
        found = path.resolve()
        config, state = self._paths.config.resolve(), self._paths.state.resolve()
        is_open = any(found.is_relative_to(config / name) for name in _OPEN_FOLDERS)
        if found.is_relative_to(state) or (found.is_relative_to(config) and not is_open):
            raise InputError(
                f"{what}: `{_shown(path)}` is among the program's own files, which may have credentials in them",
                hint=_NOTHING_SENT,
            )


def paths_of(written: str | Path, what: str) -> list[Path]:
    """Return the paths of the files that a text names: itself, those in a folder, or those of a pattern."""
    try:
        path = Path(written).expanduser()
        if path.is_dir():
            found = [one for one in path.iterdir() if one.is_file() and not one.name.startswith(".")]
        elif has_magic(str(path)) and not path.exists():
            found = [Path(one) for one in glob(str(path)) if Path(one).is_file()]  # noqa: PTH207 - it may be absolute
        else:
            return [path]
    except (OSError, RuntimeError, ValueError) as e:
        raise InputError(f"{what}: can't read `{_shown(written)}`: {getattr(e, 'strerror', None) or e}") from e
    if not found:
        raise InputError(f"{what}: `{_shown(written)}` has no files", hint="Hidden files and folders don't count.")
    for one in found:
        _refuse_way_out(one, what)
    return sorted(found)


def _refuse_way_out(path: Path, what: str) -> None:
    """A link in a folder leads only to a file of the same folder: nobody has named what is elsewhere."""
    target = Path(os.path.realpath(path))  # raises no error for links in a circle
    if path.is_symlink() and (target.parent != path.parent.resolve() or target.name.startswith(".")):
        raise InputError(
            f"{what}: `{_shown(path)}` is a link that leads out of the folder or to a hidden file",
            hint=f"{_NOTHING_SENT} Name the file itself, if you mean it.",
        )


def _safe_name(name: str) -> str:
    """Return the name as it is sent and shown: no folder, one line, not too long."""
    plain = one_line(name.replace("\\", "/").rpartition("/")[2]).strip()
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[:100]}…{plain[-90:]}"


def _shown(path: str | Path) -> str:
    return one_line(str(path))[:200]
