"""Run a token command: without a shell, without input, in its own process group, within limits."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.auth.commands import find_command, home_of, in_words
from llm_orc.auth.masking import Mask
from llm_orc.auth.secret import revealed
from llm_orc.catalog.table import PROVIDERS
from llm_orc.errors import TokenCommandFailed
from llm_orc.processes.death import dying_with_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_S = 30.0
_MOST_BYTES = 64 * 1024  # of standard output; a larger one is no token
_KEPT_OF_STDERR = 4096  # bytes, the last ones
_SHOWN_OF_STDERR = 400  # characters
_GRACE_S = 1.0  # between SIGTERM and SIGKILL
_LOOK_S = 0.1  # how often we check that it runs and does not write too much
_DRAIN_S = 0.5  # for what it wrote before it ended: its own child processes may hold its pipes open
_PIECE = 16 * 1024
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)


async def run_command(argv: Sequence[str], environ: Mapping[str, str], limit_s: float = LIMIT_S) -> bytes:
    """Return what the command writes to standard output. If we are cancelled, the command is ended first.

    It runs in the home directory with the user's environment, but without the API keys of model providers. Raises
    `TokenCommandFailed`, with the end of its standard error, in which secrets are masked.
    """
    what, by_hand = f"the token command `{in_words(argv)}`", f"Run it by hand: `{in_words(argv)}`."
    program = find_command(argv[0], environ)
    if program is None:
        raise TokenCommandFailed(f"{what} can't be run: there is no program `{argv[0]}`", hint="Install it.")
    env = command_env(environ)
    try:
        process = await asyncio.create_subprocess_exec(
            *dying_with_us(),
            program,
            *argv[1:],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            cwd=home_of(environ),
            start_new_session=sys.platform != "win32",  # its own group: Ctrl-C only reaches us
        )
    except OSError as e:
        raise TokenCommandFailed(f"{what} can't be run: {e.strerror or e}", hint=by_hand) from e
    out, err = _Tail(_MOST_BYTES + 1, keep_first=True), _Tail(_KEPT_OF_STDERR)
    try:
        async with asyncio.timeout(limit_s):
            is_whole = await _read(process, out, err)
    except TimeoutError:
        raise TokenCommandFailed(
            f"{what} did not end within {limit_s:g} s{_said(err, out, env)}",
            hint=f"{by_hand} It gets no input, so it can't ask anything.",
        ) from None
    finally:
        await asyncio.shield(asyncio.ensure_future(_end(process)))
    if not is_whole:
        raise TokenCommandFailed(
            f"{what} wrote more than {_MOST_BYTES // 1024} KB, which is no token", hint=by_hand
        )
    if process.returncode:
        raise TokenCommandFailed(
            f"{what} failed with exit code {process.returncode}{_said(err, out, env)}", hint=by_hand
        )
    return bytes(out.data)


def command_env(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment without the API keys of providers: a cloud's own variables it does need."""
    keys = {name for row in PROVIDERS.values() for name in row.api_key_env}
    return {name: value for name, value in environ.items() if name not in keys}


class _Tail:
    """The first or the last bytes of a stream."""

    def __init__(self, most: int, *, keep_first: bool = False) -> None:
        self._most, self._keep_first = most, keep_first
        self.data = bytearray()

    def add(self, piece: bytes) -> None:
        self.data += piece
        if self._keep_first:
            del self.data[self._most :]
        else:
            del self.data[: -self._most]


async def _read(process: asyncio.subprocess.Process, out: _Tail, err: _Tail) -> bool:
    """Read both streams until the process ends; return False if it wrote too much.

    Its end is polled, as some event loops also wait for its pipes, which daemons that it started may hold.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    streams = [
        asyncio.ensure_future(_drain(process.stdout, out)),
        asyncio.ensure_future(_drain(process.stderr, err)),
    ]
    ending = asyncio.ensure_future(process.wait())
    try:
        while len(out.data) <= _MOST_BYTES and process.returncode is None:
            open_ones = {ending} if streams[0].done() else {ending, streams[0]}
            await asyncio.wait(open_ones, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        if process.returncode is not None:
            await asyncio.wait(streams, timeout=_DRAIN_S)
        return len(out.data) <= _MOST_BYTES
    finally:
        for task in (*streams, ending):
            task.cancel()
        await asyncio.gather(*streams, ending, return_exceptions=True)


async def _drain(stream: asyncio.StreamReader, tail: _Tail) -> None:
    while piece := await stream.read(_PIECE):
        tail.add(piece)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process and its child processes; if it has ended by itself, daemons that it started stay."""
    if process.returncode is None:
        for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            _signal(process, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_S):
                    await process.wait()
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - no public name for its pipes


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)


def _said(err: _Tail, out: _Tail, env: Mapping[str, str]) -> str:
    """Return the end of its standard error, masked: it may repeat a secret of its output or its environment."""
    mask = Mask()
    written = bytes(out.data).decode("utf-8", "replace")
    for secret in (
        *revealed(),
        *(value for name, value in env.items() if _SECRET_NAME.search(name)),
        *re.findall(r'[^\s"{}:,]+', written),
    ):
        mask.add(secret)
    text = " ".join(bytes(err.data).decode("utf-8", "replace").split())
    text = "".join(c for c in mask.hide_in_error(text) if c.isprintable())
    return f": {text[-_SHOWN_OF_STDERR:]}" if text else ""
