"""A forked command under way, on the three descriptors that it is given."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tests.program import server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def can_fork() -> bool:
    """Elsewhere a fork of what has been imported is not safe, or there is none."""
    return sys.platform == "linux"


class Forked:
    """One command under way: `pid` is that of its process, whose parent is the server."""

    def __init__(
        self,
        arguments: Sequence[str],
        descriptors: Sequence[int],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        module: str | None = None,
        has_terminal: bool = False,
    ) -> None:
        """Start `llm-orc`, or `python -m module`, on descriptors that remain the caller's.

        `has_terminal`: they are one, and it leads it.
        """
        request: server.Request = {
            "module": module,
            "arguments": arguments,
            "cwd": str(cwd),
            "environ": dict(environ),
            "has_terminal": has_terminal,
        }
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(server_for(environ))
        socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
        self.pid = int(self._connection.recv(100))
        self._exit_code: int | None = None

    def fileno(self) -> int:
        """Return what can be read from once it has ended."""
        return self._connection.fileno()

    def wait(self, timeout_s: float | None = None) -> int:
        """Return the exit code, negative after a signal, as `subprocess` has it. Raises `TimeoutError`."""
        if self._exit_code is None:
            self._connection.settimeout(timeout_s)
            try:
                self._exit_code = int(self._connection.recv(100))
            except BlockingIOError:
                raise TimeoutError from None
            self._connection.close()
        return self._exit_code

    def send_signal(self, number: int) -> None:
        """Send it, unless it has ended."""
        if self._exit_code is None and not select.select([self._connection], [], [], 0)[0]:
            with contextlib.suppress(ProcessLookupError):  # it has ended this very moment
                os.kill(self.pid, number)


def run_forked(
    arguments: Sequence[str],
    *,
    stdin: bytes | None,
    cwd: Path,
    environ: Mapping[str, str],
    timeout_s: float,
    module: str | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `llm-orc`, or `python -m module`, to its end, as `subprocess.run` does; without `stdin` it is /dev/null."""
    with ThreadPoolExecutor(3) as pool:
        with contextlib.ExitStack() as theirs:
            if stdin is None:
                descriptors = [os.open(os.devnull, os.O_RDONLY)]
            else:
                given, to_program = os.pipe()
                descriptors = [given]
                pool.submit(_feed, to_program, stdin)
            readers = []
            for _ in range(2):
                from_program, to_us = os.pipe()
                descriptors.append(to_us)
                readers.append(pool.submit(_read, from_program))
            for descriptor in descriptors:
                theirs.callback(os.close, descriptor)
            process = Forked(arguments, descriptors, cwd=cwd, environ=environ, module=module)
        try:
            code = process.wait(timeout_s)
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout_s) from None
        stdout, stderr = (reader.result() for reader in readers)
    return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def _feed(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb", buffering=0) as stream:
        left = memoryview(data)
        while left:
            left = left[stream.write(left) or 0 :]


_STARTING = threading.Lock()


def server_for(environ: Mapping[str, str]) -> str:
    """Return where a server listens; what Python reads when it starts is the same for all its children."""
    at_start = {name: value for name, value in environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    with _STARTING:
        return _start_server(tuple(sorted(at_start.items())))


@cache
def _start_server(at_start: tuple[tuple[str, str], ...]) -> str:
    folder = tempfile.mkdtemp(prefix="llm-orc-tests-")
    address = str(Path(folder) / "server")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    process = subprocess.Popen(
        [sys.executable, server.__file__, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=kept | dict(at_start),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()  # it listens

    def end() -> None:
        process.stdin.close()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]
        process.wait()
        with contextlib.suppress(OSError):
            Path(address).unlink()
            Path(folder).rmdir()

    atexit.register(end)
    return address
