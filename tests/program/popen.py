"""A forked command with pipes, as `subprocess.Popen` and as `asyncio` have processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from asyncio.base_subprocess import BaseSubprocessTransport
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.program.forked import Forked, can_fork, server_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_LLM_ORC = ("-c", "import sys; from llm_orc.cli.main import main; sys.exit(main())")


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


async def create_program(
    *arguments: str,
    module: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    limit: int = 2**16,
) -> asyncio.subprocess.Process:
    """Start `llm-orc`, or `python -m module`, as `asyncio.create_subprocess_exec` does, in a fork where that is safe."""
    cwd, env = cwd or Path.cwd(), {"LANG": "C.UTF-8"} | dict(env or os.environ)
    if not can_fork():
        command = (sys.executable, *(_LLM_ORC if module is None else ("-m", module)), *arguments)
        return await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, limit=limit
        )
    await asyncio.to_thread(server_for, env)  # the first time, it has yet to import the program
    loop = asyncio.get_running_loop()
    protocol = asyncio.subprocess.SubprocessStreamProtocol(limit, loop)
    connected = loop.create_future()
    process = _Process(arguments, (stdin, stdout, stderr), cwd=cwd, env=env, module=module)
    transport = _ForkedTransport(
        loop, protocol, arguments, False, stdin, stdout, stderr, 0, connected, process=process
    )
    await connected
    return asyncio.subprocess.Process(transport, protocol, loop)


class _ForkedTransport(BaseSubprocessTransport):
    """What asyncio asks of a process, for one whose parent is not this one."""

    def _start(self, *_: object, process: _Process, **__: object) -> None:  # type: ignore[override]
        self._proc = process  # type: ignore[assignment]
        self._loop.add_reader(process.forked, self._has_ended, process.forked)

    def _has_ended(self, forked: Forked) -> None:
        self._loop.remove_reader(forked)
        self._process_exited(forked.wait(0))


class _Process:
    """Enough of `subprocess.Popen` for asyncio's transport."""

    def __init__(
        self,
        arguments: Sequence[str],
        wanted: Sequence[int],
        *,
        cwd: Path,
        env: Mapping[str, str],
        module: str | None,
    ) -> None:
        ours: list[int | None] = []
        theirs: list[int] = []
        for number, what in enumerate(wanted):
            if what == subprocess.PIPE:
                pair = os.pipe() if number else os.pipe()[::-1]
                ours.append(pair[0])
                theirs.append(pair[1])
            else:
                ours.append(None)
                theirs.append(theirs[1] if what == subprocess.STDOUT else os.open(os.devnull, os.O_RDWR))
        try:
            self.forked = Forked(arguments, theirs, cwd=cwd, environ=env, module=module)
        finally:
            for descriptor in set(theirs):
                os.close(descriptor)
        self.stdin, self.stdout, self.stderr = (
            None if descriptor is None else os.fdopen(descriptor, "wb" if number == 0 else "rb", buffering=0)
            for number, descriptor in enumerate(ours)
        )
        self.pid = self.forked.pid
        self.returncode: int | None = None  # its transport sets it

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.forked.send_signal(number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)
