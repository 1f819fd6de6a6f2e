"""The task of a run: from the command line, a file, standard input, or the ensemble's own default."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import InputError

LARGEST = 10 * 1024 * 1024  # bytes
_CHUNK = 1 << 16
_MOMENT_S = 1.0  # silence after which an open standard input counts as idle, if there is a default task
_GIVE_ONE = "Give one with `--input TEXT`, `--input-file FILE` or a pipe, or set `default_task` in the ensemble."


def read_task(text: str | None, file: str | None, default: str | None, ensemble: str) -> str:
    """Return the task; an option takes precedence over piped standard input, and that over the default.

    Raises `InputError` if there is none, or it is empty, too large or not text.
    """
    if text is not None and file is not None:
        raise UsageMistake("--input and --input-file exclude each other", hint="Give only one.")
    if text is not None:
        return _checked(text, "--input")
    if file == "-":
        return _decoded(_StandardInput().read(first_within_s=None) or b"", "standard input")
    if file is not None:
        return _decoded(_read_file(Path(file)), f"`{file}`")
    piped = _piped(default)
    if piped:
        return _decoded(piped, "standard input")
    if default is None:
        raise InputError(f"there is no task for `{ensemble}`", hint=_GIVE_ONE)
    return default


def _piped(default: str | None) -> bytes | None:
    """Return the piped input. None: there is none, or an inherited pipe (ssh, cron, CI) stays open and silent."""
    if not _may_be_piped():
        return None
    source = _StandardInput()
    data = source.read(first_within_s=_MOMENT_S)
    if data is not None:
        return data if data.strip() else None
    if default is not None:
        note("Nothing arrived on standard input: using the ensemble's default task (`--input-file -` waits).")
        return None
    note("Waiting for the task on standard input…")
    data = source.read(first_within_s=None)
    return data if data and data.strip() else None


def _may_be_piped() -> bool:
    """True for a pipe, a socket or a file; false for a terminal, /dev/null and a closed standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return not stat.S_ISCHR(mode)


class _StandardInput:
    """Reads in a separate thread: nothing else can stop waiting on every platform."""

    def __init__(self) -> None:
        self._chunks: SimpleQueue[bytes | OSError] = SimpleQueue()
        threading.Thread(target=self._pump, name="standard input", daemon=True).start()

    def _pump(self) -> None:
        size = 0
        try:
            while size <= LARGEST:
                chunk = os.read(0, _CHUNK)
                self._chunks.put(chunk)
                size += len(chunk)
                if not chunk:
                    return
            self._chunks.put(b"")
        except OSError as e:
            self._chunks.put(e)

    def read(self, *, first_within_s: float | None) -> bytes | None:
        """Return everything, or a little more than `LARGEST`; None if nothing arrived in time."""
        try:
            chunk = self._chunks.get(timeout=first_within_s)
        except Empty:
            return None
        data = bytearray()
        while chunk:
            if isinstance(chunk, OSError):
                raise InputError(f"can't read standard input: {chunk.strerror or chunk}")
            data += chunk
            chunk = self._chunks.get()
        return bytes(data)


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as e:
        raise InputError(f"can't read the task from `{path}`: {e.strerror or e}") from e


def _decoded(data: bytes, origin: str) -> str:
    if len(data) > LARGEST:
        raise InputError(
            f"the task from {origin} is larger than {LARGEST // (1024 * 1024)} MB",
            hint="Nothing was sent. Shorten it, or split it into several runs.",
        )
    try:
        return _checked(data.decode("utf-8-sig"), origin)
    except UnicodeDecodeError as e:
        raise InputError(
            f"the task from {origin} is not UTF-8 text: byte {e.start + 1:,} can't be read",
            hint="Save it as UTF-8 text; a PDF, an image or an archive has to be converted to text first.",
        ) from e


def _checked(text: str, origin: str) -> str:
    """Return the text without its last line end; a NUL marks a binary file that happens to decode."""
    if "\0" in text:
        raise InputError(f"the task from {origin} is a binary file, not text", hint="Give it as UTF-8 text.")
    if not text.strip():
        raise InputError(f"the task from {origin} is empty", hint=_GIVE_ONE)
    return text.removesuffix("\n").removesuffix("\r")
