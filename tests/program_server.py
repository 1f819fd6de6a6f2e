"""Start `llm-orc` many times at the price of one: a process that has imported it forks one child for each command.

A child is a process like any other, with its own descriptors, environment, directory, signals and exit code; only
the imports are not its own. Tests of the start itself start the program (`tests/test_workshop.py`, `Shell.started`).
Run as a program this file is the server; imported, it is the client.
"""

from __future__ import annotations

import atexit
import contextlib
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
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LARGEST_REQUEST = 200_000
_LANGUAGE = "C.UTF-8"
_ALSO = ("prompt_toolkit", "prompt_toolkit.shortcuts", "uvloop", "encodings.idna", "getpass")


def can_fork(environ: Mapping[str, str]) -> bool:
    """Can a child of the server stand for a new process? Not where Python reads what it needs when it starts."""
    told = {name for name in environ if name.startswith(("PYTHON", "LC_"))} - {"PYTHONDONTWRITEBYTECODE"}
    return sys.platform == "linux" and not told and environ.get("LANG") == _LANGUAGE


def run_forked(
    arguments: Sequence[str],
    *,
    stdin: bytes | None,
    cwd: Path,
    environ: Mapping[str, str],
    timeout_s: float,
) -> subprocess.CompletedProcess[bytes]:
    """Run `llm-orc` to its end, as `subprocess.run` does; without `stdin` it is /dev/null."""
    with ThreadPoolExecutor(3) as pool, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
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
            request = {"arguments": list(arguments), "cwd": str(cwd), "environ": dict(environ)}
            connection.settimeout(timeout_s)
            connection.connect(_server())
            socket.send_fds(connection, [json.dumps(request).encode()], descriptors)
        pid = int(connection.recv(100))
        try:
            code = int(connection.recv(100))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout_s) from None
        stdout, stderr = (reader.result() for reader in readers)
    return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb") as stream:
        return stream.read()


def _feed(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as stream:
        left = memoryview(data)
        while left:
            left = left[stream.write(left) or 0 :]


_STARTING = threading.Lock()


def _server() -> str:
    """Return where the server of this process listens, which ends with it."""
    with _STARTING:
        return _start_server()


@cache
def _start_server() -> str:
    folder = tempfile.mkdtemp(prefix="llm-orc-tests-")
    address = str(Path(folder) / "server")
    environ = os.environ | {"LANG": _LANGUAGE}
    server = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ
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
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(str(request["cwd"]))
    gc.enable()
    return arguments


def _import_everything() -> None:
    import llm_orc

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
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except OSError:
        code = 120  # as Python says that its last words could not be written
    os._exit(code)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
