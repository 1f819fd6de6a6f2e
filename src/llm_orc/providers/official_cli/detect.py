"""Check whether an official CLI is installed, new enough and logged in, in the same environment as a call."""

from __future__ import annotations

import asyncio
import errno
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, AuthError, NotLoggedIn
from llm_orc.net.text import one_line
from llm_orc.processes.child import Child, TooMuchOutput
from llm_orc.providers.official_cli.child_env import child_env
from llm_orc.providers.official_cli.find import find_program, not_installed
from llm_orc.providers.official_cli.state import CliState, Standing, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.official_cli.program import OfficialCli

_LIMIT_S = 15.0
_MOST_BYTES = 8_000_000
_VERSION = re.compile(r"(?<![\d.])(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?![\d.])")
_CANT_START = {
    errno.ENOENT: "can't be started: the interpreter that its first line names does not exist",
    errno.ENOEXEC: "is not a program that this machine can run: it is empty, damaged or for another system",
    errno.EACCES: "can't be run: its permissions, or those of its interpreter, forbid it",
}


class CantRun(Exception):
    """Why the program can't be queried."""


async def look_at(program: OfficialCli, environ: Mapping[str, str]) -> CliState:
    """Return the state; `problem` says what is missing and what to do about it."""
    path = find_program(program.row, environ)
    if path is None:
        return not_installed(program.row)
    asked = [("--version",), program.status_arguments]
    if program.models_arguments:
        asked.append(program.models_arguments)
    try:
        version, status, *models = await _ask(program, path, asked, environ)
        number = version_of(version)
    except CantRun as e:
        broken = AccessNotSupported(f"`{path}` {e}", hint=f"Try it by hand: `{program.command} --version`.")
        return CliState(program.row.name, program.command, path, problem=broken)
    standing = program.standing(status, child_env(environ, program.row.variables, {}))
    return CliState(
        program.row.name,
        program.command,
        path,
        ".".join(str(part) for part in number),
        standing.login,
        standing.plan,
        problem_of(program, number, standing),
        "".join(one.stdout for one in models),
    )


def version_of(told: Told) -> tuple[int, int, int]:
    """Return the version that it printed. Raises `CantRun` if it printed none."""
    words = one_line(told.stderr or told.stdout, 200)
    if told.exit_code:
        raise CantRun(f"can't run (exit code {told.exit_code})" + (f": {words}" if words else ""))
    found = _VERSION.search(told.stdout) or _VERSION.search(told.stderr)
    if found is None:
        raise CantRun(f"does not report its version; it prints: {words or 'nothing'}")
    first, second, third = found.groups()
    return int(first), int(second), int(third)


def problem_of(program: OfficialCli, version: tuple[int, int, int], standing: Standing) -> AuthError | None:
    """Return what is wrong with a program of this version and login; None if it can be used."""
    if version < program.oldest:
        is_, oldest = (".".join(str(part) for part in parts) for parts in (version, program.oldest))
        return AccessNotSupported(
            f"`{program.command}` {is_} is too old: {oldest} is the oldest supported version",
            hint=f"{program.command} update",
        )
    match standing.login:
        case "plan" | "token":
            return None
        case "metered" | "unknown":
            return program.refusal_of_metered(standing)
        case "none":
            return NotLoggedIn(
                f"`{program.command}` is not logged in",
                hint=" ".join(program.row.login_command),
                provider=program.row.name,
            )


async def _ask(
    program: OfficialCli, path: Path, asked: list[tuple[str, ...]], environ: Mapping[str, str]
) -> list[Told]:
    answers = await asyncio.gather(
        *(_run(program, path, arguments, environ) for arguments in asked), return_exceptions=True
    )
    told: list[Told] = []
    for answer in answers:
        match answer:
            case Told():
                told.append(answer)
            case TimeoutError():
                raise CantRun(f"does not answer within {_LIMIT_S:g} s")
            case TooMuchOutput():
                raise CantRun(f"answers with more than {_MOST_BYTES / 1e6:g} MB")
            case OSError():
                raise CantRun(why_not_started(answer))
            case _:
                raise answer
    return told


def why_not_started(error: OSError) -> str:
    """Return why the operating system can't start a program, as the rest of a sentence about it."""
    return _CANT_START.get(error.errno or 0, f"can't be started: {one_line(error.strerror or str(error))}")


async def _run(program: OfficialCli, path: Path, arguments: tuple[str, ...], environ: Mapping[str, str]) -> Told:
    with tempfile.TemporaryDirectory(prefix="llm-orc-", ignore_cleanup_errors=True) as room:
        env = child_env(environ, program.row.variables, program.variables(Path(room), None))
        argv = (str(path), *arguments)
        child = await Child.start(argv, env, Path(room), most_bytes=_MOST_BYTES, dies_with_us=False)
        try:
            async with asyncio.timeout(_LIMIT_S):
                await child.send(b"", is_last=True)
                said = await child.rest()
                code = await child.end()
        finally:
            await child.stop()
    return Told(code, said.decode("utf-8", "replace"), child.stderr)
