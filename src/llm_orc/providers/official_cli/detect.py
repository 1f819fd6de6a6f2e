"""Look whether an official CLI is there, new enough and logged in, with the very environment of a call."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, AuthError, NotLoggedIn
from llm_orc.net.text import one_line
from llm_orc.providers.official_cli.child_env import child_env
from llm_orc.providers.official_cli.process import Child
from llm_orc.providers.official_cli.state import CliState, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.official_cli.program import OfficialCli

_LIMIT_S = 15.0
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


async def look_at(program: OfficialCli, environ: Mapping[str, str]) -> CliState:
    """Return the state; what is missing is in `problem`, with what to do about it."""
    path = _find(program, environ)
    if path is None:
        missing = AccessNotSupported(f"`{program.command}` is not installed", hint=program.install_hint)
        return CliState(program.name, program.command, problem=missing)
    try:
        (_, said), (code, output) = await asyncio.gather(
            _run(program, path, ("--version",), environ), _run(program, path, program.status_arguments, environ)
        )
    except (OSError, TimeoutError) as e:
        why = "does not answer" if isinstance(e, TimeoutError) else f"can't be started: {one_line(str(e))}"
        broken = AccessNotSupported(f"`{path}` {why}", hint=f"Try it by hand: {program.command} --version")
        return CliState(program.name, program.command, path, problem=broken)
    numbers = _VERSION.search(said)
    standing = program.standing(code, output)
    return CliState(
        program.name,
        program.command,
        path,
        numbers.group() if numbers else None,
        standing.login,
        standing.plan,
        _problem(program, numbers, standing),
    )


def _find(program: OfficialCli, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(program.command, path=environ.get("PATH", ""))
    return None if found is None else Path(found).absolute()  # it is started elsewhere than here


def _problem(program: OfficialCli, version: re.Match[str] | None, standing: Standing) -> AuthError | None:
    if version is None or tuple(int(part) for part in version.groups()) < program.oldest:
        oldest = ".".join(str(part) for part in program.oldest)
        what = f"`{program.command}` {version.group()}" if version else f"this `{program.command}`"
        return AccessNotSupported(
            f"{what} is too old: {oldest} is the first that we can use", hint=f"{program.command} update"
        )
    match standing.login:
        case "plan" | "token":
            return None
        case "metered":
            return program.refusal_of_metered(standing)
        case _:
            return NotLoggedIn(
                f"`{program.command}` is not logged in",
                hint=" ".join(program.login_command),
                provider=program.name,
            )


async def _run(
    program: OfficialCli, path: Path, arguments: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[int, str]:
    """Return the exit code, and what it wrote to standard output or else to standard error."""
    env = child_env(environ, program.also_sees, program.variables(None))
    with tempfile.TemporaryDirectory(prefix="llm-orc-", ignore_cleanup_errors=True) as room:
        child = await Child.start((str(path), *arguments), env, Path(room))
        try:
            async with asyncio.timeout(_LIMIT_S):
                await child.send(b"", is_last=True)
                lines = []
                while (line := await child.line()) is not None:
                    lines.append(line)
                code, complaint = await child.complaint()
        finally:
            with suppress(OSError):
                await child.stop()
    return code, b"".join(lines).decode("utf-8", "replace") or complaint
