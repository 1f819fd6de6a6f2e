"""Start `llm-orc` many times at the price of one: a process that has imported it forks one child for each command.

A child is a process like any other, with its own descriptors, environment, directory, signals and exit code; only
the imports are not its own. Tests of the start itself start the program (`tests/test_workshop.py`, `Shell.started`).
Run as a program this file is the server; imported, it is the client.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LARGEST_REQUEST = 200_000
_ALSO = ("prompt_toolkit", "prompt_toolkit.shortcuts", "uvloop", "encodings.idna", "getpass")


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
        has_terminal: bool = False,
    ) -> None:
        """Start it on three descriptors, which remain the caller's; `has_terminal`: they are one, and it leads it."""
        request = {"arguments": arguments, "cwd": str(cwd), "environ": dict(environ), "has_terminal": has_terminal}
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(_server_for(environ))
        socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
        self.pid = int(self._connection.recv(100))
        self._exit_code: int | None = None

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
        with contextlib.suppress(TimeoutError):
            self.wait(0)
            return
        os.kill(self.pid, number)


class ForkedPopen(subprocess.Popen[str]):
    """The command with pipes for what it writes, to be used as any other process; its input is /dev/null."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, environ: Mapping[str, str]) -> None:
        output, to_output = os.pipe()
        error, to_error = os.pipe()
        with Path(os.devnull).open("rb") as given:
            self._forked = Forked(arguments, (given.fileno(), to_output, to_error), cwd=cwd, environ=environ)
        for theirs in (to_output, to_error):
            os.close(theirs)
        self.args = list(arguments)
        self.pid = self._forked.pid
        self.returncode: int | None = None
        self.stdin = None
        self.stdout = os.fdopen(output, encoding="utf-8")
        self.stderr = os.fdopen(error, encoding="utf-8")

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        try:
            self.returncode = self._forked.wait(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
        return self.returncode

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        assert input is None
        assert self.stdout is not None
        assert self.stderr is not None
        with ThreadPoolExecutor(2) as pool:
            readers = [pool.submit(stream.read) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            out, err = (reader.result() for reader in readers)
        return out, err

    def send_signal(self, sig: int) -> None:
        self._forked.send_signal(sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr):
            assert stream is not None
            stream.close()
        self.wait()

    def __del__(self, *_: object) -> None:
        pass


def run_forked(
    arguments: Sequence[str],
    *,
    stdin: bytes | None,
    cwd: Path,
    environ: Mapping[str, str],
    timeout_s: float,
) -> subprocess.CompletedProcess[bytes]:
    """Run `llm-orc` to its end, as `subprocess.run` does; without `stdin` it is /dev/null."""
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
            process = Forked(arguments, descriptors, cwd=cwd, environ=environ)
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


def _server_for(environ: Mapping[str, str]) -> str:
    """Return where a server listens; what Python reads when it starts is the same for all its children."""
    at_start = {name: value for name, value in environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    with _STARTING:
        return _start_server(tuple(sorted(at_start.items())))


@cache
def _start_server(at_start: tuple[tuple[str, str], ...]) -> str:
    folder = tempfile.mkdtemp(prefix="llm-orc-tests-")
    address = str(Path(folder) / "server")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    server = subprocess.Popen(
        [sys.executable, __file__, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=kept | dict(at_start),
        start_new_session=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdout.readline()  # it listens

    def end() -> None:
        server.stdin.close()  # type: ignore[union-attr]
        server.stdout.close()  # type: ignore[union-attr]
        server.wait()
        with contextlib.suppress(OSError):
            Path(address).unlink()
            Path(folder).rmdir()

    atexit.register(end)
    return address


class _Server:
    """Forks and reaps. It has one thread, so that a child is whole."""

    def __init__(self, address: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(address)
        self._listening.listen(16)
        self._waking, wake = socket.socketpair()
        self._wake = wake
        self._waiting: dict[int, socket.socket] = {}
        for one in (self._waking, wake):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for readable in (self._listening, self._waking, 0):
            self._selector.register(readable, selectors.EVENT_READ)

    def serve(self) -> list[str] | None:
        """Serve until standard input ends: None. In a child return the arguments of its command."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == 0:
                    return None
                if key.fileobj is self._waking:
                    self._reap()
                elif (arguments := self._fork()) is not None:
                    return arguments

    def _reap(self) -> None:
        self._waking.recv(4096)
        while self._waiting:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._waiting.pop(pid) as connection, contextlib.suppress(OSError):
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _fork(self) -> list[str] | None:
        connection, _ = self._listening.accept()
        data, descriptors, _, _ = socket.recv_fds(connection, _LARGEST_REQUEST, 3)
        pid = os.fork()
        if pid:
            for descriptor in descriptors:
                os.close(descriptor)
            self._waiting[pid] = connection
            connection.send(str(pid).encode())
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for ours in (self._listening, self._waking, self._wake, connection, *self._waiting.values()):
            ours.close()
        return _become(json.loads(data), descriptors)


def _become(request: dict[str, object], descriptors: list[int]) -> list[str]:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    environ, arguments = request["environ"], request["arguments"]
    assert isinstance(environ, dict)
    assert isinstance(arguments, list)
    if request["has_terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(str(request["cwd"]))
    gc.enable()
    from llm_orc.app.accounts import process_start

    process_start._LOADED_AT = time.time()
    return arguments


def _import_everything() -> None:
    import llm_orc

    sys.modules["keyring"] = None  # type: ignore[assignment]  # as `tests.conftest.without_keychain` has it
    for module in pkgutil.walk_packages(llm_orc.__path__, "llm_orc."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _ALSO:
        importlib.import_module(name)
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()  # so that a child shares the memory of what is imported
    gc.disable()


def _main(address: str) -> int:
    _import_everything()
    server = _Server(address)
    print("listening", flush=True)
    arguments = server.serve()
    if arguments is None:
        return 0
    from llm_orc.cli.main import main

    try:
        _end(main(arguments))
    except SystemExit as e:
        _end(int(e.code or 0))


def _end(code: int) -> NoReturn:
    """End as Python does, but for the memory: to free what is shared with the server would copy it first."""
    threading._shutdown()  # type: ignore[attr-defined]  # joins threads, as Python and multiprocessing do
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except OSError:
        code = 120  # as Python says that its last words could not be written
    os._exit(code)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
