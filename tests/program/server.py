"""The process that forks: it has imported the program, and knows nothing of the tests. `python server.py ADDRESS`."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST_REQUEST = 200_000
_ALSO = (  # what commands import only when they need it, and what imports itself late
    "click._textwrap",
    "cryptography.fernet",
    "cryptography.hazmat.primitives.ciphers.aead",
    "encodings.idna",
    "encodings.utf_8_sig",
    "filelock._api",
    "genai_prices.data_snapshot",
    "getpass",
    "prompt_toolkit.input.vt100",
    "prompt_toolkit.shortcuts",
    "resource",
    "uvloop",
)
_ROOT = Path(__file__).parents[2]
_LARGE_PAGE = 2 << 20
_MADV_COLLAPSE = 25


class Request(TypedDict):
    """A command, sent with the three descriptors that it is to have."""

    module: str | None  # which to run as a program; None: `llm-orc`
    arguments: Sequence[str]
    cwd: str
    environ: dict[str, str]
    has_terminal: bool  # the descriptors are a terminal, and it leads it


class _Server:
    """Forks and reaps. It has one thread, so that a child is whole."""

    def __init__(self, address: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(address)
        self._listening.listen(64)
        self._waking, wake = socket.socketpair()
        self._wake = wake
        self._waiting: dict[int, socket.socket] = {}
        for one in (self._waking, wake):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for readable in (self._listening, self._waking, 0):
            self._selector.register(readable, selectors.EVENT_READ)

    def serve(self) -> Request | None:
        """Serve until standard input ends: None. In a child return what it was asked for."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == 0:
                    return None
                if key.fileobj is self._waking:
                    self._reap()
                elif (request := self._fork()) is not None:
                    return request

    def _reap(self) -> None:
        self._waking.recv(4096)
        while self._waiting:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._waiting.pop(pid) as connection, contextlib.suppress(OSError):
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _fork(self) -> Request | None:
        connection, _ = self._listening.accept()
        data, descriptors, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 3)
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
        request: Request = json.loads(data)
        _become(request, descriptors)
        return request


def _become(request: Request, descriptors: list[int]) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if request["has_terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["cwd"])
    gc.enable()
    from llm_orc.app.accounts import process_start

    process_start._LOADED_AT = time.time()


def _import_everything() -> None:
    import llm_orc

    sys.path[0] = str(_ROOT)
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
    _use_large_pages()


def _use_large_pages() -> None:
    """Let Linux put our memory into large pages, if it likes to: a fork copies the table of pages, half of its time."""
    libc = ctypes.CDLL(None)
    for start, end in list(_own_memory()):
        for page in range(-(-start // _LARGE_PAGE) * _LARGE_PAGE, end // _LARGE_PAGE * _LARGE_PAGE, _LARGE_PAGE):
            libc.madvise(ctypes.c_void_p(page), ctypes.c_size_t(_LARGE_PAGE), _MADV_COLLAPSE)


def _own_memory() -> Iterator[tuple[int, int]]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, _, *file = line.split()
        if rights.startswith("rw") and file in ([], ["[heap]"]):
            start, _, end = addresses.partition("-")
            yield int(start, 16), int(end, 16)


def _main(address: str) -> int:
    _import_everything()
    server = _Server(address)
    print("listening", flush=True)
    request = server.serve()
    if request is None:
        return 0
    try:
        _end(_run(request["module"], request["arguments"]))
    except SystemExit as e:
        if isinstance(e.code, str):
            print(e.code, file=sys.stderr)
        _end(1 if isinstance(e.code, str) else e.code or 0)


def _run(module: str | None, arguments: Sequence[str]) -> int:
    if module is not None:
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return 0
    from llm_orc.cli.main import main

    return main(arguments)


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
