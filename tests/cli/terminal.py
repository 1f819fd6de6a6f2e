"""The program on a pseudo-terminal, with a test at its keyboard."""

from __future__ import annotations

import os
import re
import termios
import time
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import pexpect
import ptyprocess

from tests.cli.conftest import LIMIT_S, PROGRAM, Shell
from tests.program.forked import Forked, can_fork

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _ForkedProcess(ptyprocess.PtyProcess):
    """What pexpect asks of a process, for one whose parent is not this one."""

    def __init__(self, forked: Forked, terminal: int) -> None:
        super().__init__(forked.pid, terminal)
        self._forked = forked
        self.exitstatus: int | None = None
        self.signalstatus: int | None = None

    def isalive(self) -> bool:
        try:
            self._ended(self._forked.wait(0))
        except TimeoutError:
            return True
        return False

    def wait(self) -> int | None:
        self._ended(self._forked.wait())
        return self.exitstatus

    def kill(self, sig: int) -> None:
        self._forked.send_signal(sig)

    def _ended(self, code: int) -> None:
        self.terminated = True
        self.exitstatus, self.signalstatus = (code, None) if code >= 0 else (None, -code)


class _ForkedSpawn(pexpect.spawn):
    def __init__(
        self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str], size: tuple[int, int]
    ) -> None:
        super().__init__(None, timeout=LIMIT_S, encoding="utf-8")
        ours, theirs = os.openpty()
        forked = _on_terminal(arguments, theirs, cwd, environ, size)
        self.ptyproc = _ForkedProcess(forked, ours)
        self.pid, self.child_fd = forked.pid, ours
        self.terminated = self.closed = False


def _on_terminal(
    arguments: Sequence[str], terminal: int, cwd: Path, environ: Mapping[str, str], size: tuple[int, int]
) -> Forked:
    termios.tcsetwinsize(terminal, size)
    try:
        return Forked(arguments, [terminal] * 3, cwd=cwd, environ=environ, has_terminal=True)
    finally:
        os.close(terminal)


class Terminal:
    """The program on a pseudo-terminal of a given width; `seen` is every byte that it wrote."""

    def __init__(self, shell: Shell, *arguments: str, columns: int = 80, **environ: str) -> None:
        self._log = StringIO()
        size = (24, columns)
        if can_fork():
            self.process = _ForkedSpawn(arguments, shell.cwd, shell.environ | environ, size)
        else:
            self.process = pexpect.spawn(
                PROGRAM,
                list(arguments),
                cwd=str(shell.cwd),
                env=shell.environ | environ,
                dimensions=size,
                encoding="utf-8",
                timeout=LIMIT_S,
            )
        self.process.logfile_read = self._log

    @property
    def seen(self) -> str:
        return self._log.getvalue()

    def ctrl_c(self) -> None:
        """Press it once the program waits for a key: Python's `input` hears of no signal between prompt and read."""
        state = Path(f"/proc/{self.process.pid}/stat")
        while state.exists() and state.read_text().rpartition(")")[2].split()[0] == "R":
            time.sleep(0.01)
        self.process.sendcontrol("c")

    def to_the_end(self) -> str:
        self.process.expect(pexpect.EOF)
        self.process.close()
        return self.seen
