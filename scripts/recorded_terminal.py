"""Commands on a pseudo-terminal, and what stands on its screen after them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMNS, ROWS, LIMIT_S = 80, 40, 60
FRAME_S = 0.2  # at least so long between two frames
USER = "ada"

_PIECE = re.compile(
    r"\x1b\[(?P<number>[0-9;?]*)(?P<control>[A-Za-z])|\x1b(?P<mode>[=>])|(?P<end>[\r\n])|(?P<text>[^\x1b\r\n])"
)
_RUN_ID = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{6}\b")
_END_OF_ID = re.compile(r"(?<=runs show )[0-9a-f]{6}\b")
_UNFINISHED = re.compile(r"\x1b[^A-Za-z=>]*$")
_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """A terminal of endless height, as far as programs use one that write, clear and go up lines."""

    def __init__(self) -> None:
        self._rows: list[list[tuple[str, str]]] = [[]]  # of each character, its style and itself
        self._row = self._column = 0
        self._style = ""

    @property
    def lines(self) -> list[str]:
        """Return the lines with their styles, as control sequences; every style ends with its line."""
        return ["".join(map(_styled, groupby(row, key=itemgetter(0)))) for row in self._rows]

    def write(self, written: str) -> None:
        for piece in _PIECE.finditer(written):
            match piece["control"] or piece["end"] or piece["mode"]:
                case None:
                    self._put(piece["text"])
                case "\r":
                    self._column = 0
                case "\n":
                    self._row += 1
                    self._rows += [[] for _ in range(self._row + 1 - len(self._rows))]
                case "A":
                    self._row -= int(piece["number"] or 1)
                case "J":
                    del self._rows[self._row + 1 :], self._rows[self._row][self._column :]
                case "K":
                    del self._rows[self._row][0 if piece["number"] == "2" else self._column :]
                case "m":
                    self._style = "" if piece["number"] in {"", "0"} else self._style + piece[0]
                case "h" | "l" | "=" | ">":
                    pass  # show or hide the cursor, and the like
                case other:
                    raise AssertionError(f"this terminal does not know the control {other!r}")

    def _put(self, character: str) -> None:
        row = self._rows[self._row]
        row += [("", " ")] * (self._column - len(row))
        row[self._column : self._column + 1] = [(self._style, character)]
        self._column += 1


def _styled(group: tuple[str, Iterable[tuple[str, str]]]) -> str:
    style, characters = group
    text = "".join(character for _, character in characters)
    return f"{style}{text}\x1b[0m" if style else text


@dataclass(frozen=True, slots=True)
class Frame:
    """What is on the screen at a time, in seconds after the command was given."""

    at_s: float
    lines: list[str]


class Terminal:
    """A terminal in a home of its own, without settings or keys of ours. Its user and the run ids are invented."""

    def __init__(self, home: Path, folder: str, answers_url: str) -> None:
        self.folder = folder
        self._home = home
        self._run_ids: dict[str, str] = {}
        self.directory.mkdir(parents=True)
        config = home / ".config" / "llm-orc" / "config.yaml"
        config.parent.mkdir(parents=True)
        config.write_text(
            f"providers:\n  openai-compatible:\n    base_url: {answers_url}\n    default_model: small\n",
            encoding="utf-8",
        )

    @property
    def directory(self) -> Path:
        return self._home / self.folder

    def run(self, command: str) -> tuple[list[str], int]:
        """Return the lines on the screen after `command`, with their colours, and its exit code."""
        frames, code = self.watch(command)
        return frames[-1].lines, code

    def watch(self, command: str) -> tuple[list[Frame], int]:
        """Return what is on the screen while `command` works and after it, and its exit code."""
        process = pexpect.spawn(
            "/bin/sh",
            ["-c", command],
            cwd=str(self.directory),
            env=self._environ(),
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            timeout=LIMIT_S,
        )
        started = time.monotonic()
        frames, written = [Frame(0, [])], ""
        with suppress(pexpect.EOF):
            while True:
                written += process.read_nonblocking(4096, LIMIT_S)
                at_s = time.monotonic() - started
                if at_s >= frames[-1].at_s + FRAME_S:
                    frames.append(Frame(at_s, self._lines(_UNFINISHED.sub("", written))))
        process.close()
        assert process.exitstatus is not None
        return [*frames, Frame(time.monotonic() - started, self._lines(written))], process.exitstatus

    def _lines(self, written: str) -> list[str]:
        """Return the lines on the screen when `written` was written, without empty ones at the end."""
        screen = Screen()
        screen.write(self._anonymous(written))
        lines = screen.lines
        while lines and not plain(lines[-1]):
            lines.pop()
        return lines

    def display(self, cells: Sequence[str]) -> list[str]:
        """Return what each cell of a notebook displays. All run in one process, in the terminal's folder."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, str(Path(__file__).with_name("notebook_cells.py"))],
            input=json.dumps(cells),
            capture_output=True,
            text=True,
            check=True,
            cwd=self.directory,
            env=self._environ(),
            timeout=LIMIT_S,
        )
        displayed: list[str] = json.loads(done.stdout)
        return displayed

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "NO_PROXY": "127.0.0.1",
            "PAGER": "cat",
            "GIT_CONFIG_COUNT": "3",
            "GIT_CONFIG_KEY_0": "user.name",
            "GIT_CONFIG_VALUE_0": "Ada",
            "GIT_CONFIG_KEY_1": "user.email",
            "GIT_CONFIG_VALUE_1": "ada@example.com",
            "GIT_CONFIG_KEY_2": "init.defaultBranch",
            "GIT_CONFIG_VALUE_2": "main",
        }

    def _anonymous(self, written: str) -> str:
        written = _END_OF_ID.sub("0a1b2c", written.replace(str(self._home), f"/home/{USER}"))
        return _RUN_ID.sub(self._invented, written)

    def _invented(self, found: re.Match[str]) -> str:
        return self._run_ids.setdefault(found[0], f"20260101-1200{len(self._run_ids):02}-0a1b2c")


def plain(line: str) -> str:
    """Return a line without its colours, and without spaces at its end."""
    return _CODE.sub("", line).rstrip()
