"""Check whether `copilot` is installed, new enough and logged in: its own server is asked, and no model.

It looks at GitHub for that. If it can't, it reports the same as if nobody were logged in; beginning a session,
which asks no model either, then tells the difference.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, LlmOrcError, NotLoggedIn
from llm_orc.net.text import one_line
from llm_orc.processes.child import Child, TooMuchOutput
from llm_orc.providers.base import Target
from llm_orc.providers.official_cli.child_env import child_env
from llm_orc.providers.official_cli.copilot import messages
from llm_orc.providers.official_cli.copilot.failures import failure_of
from llm_orc.providers.official_cli.copilot.login import refuse_other_protocol, standing_of
from llm_orc.providers.official_cli.detect import CantRun, problem_of, version_of, why_not_started
from llm_orc.providers.official_cli.find import find_program, not_installed
from llm_orc.providers.official_cli.lines import fields_of, object_in, text_in
from llm_orc.providers.official_cli.state import CliState, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.errors import AuthError
    from llm_orc.providers.official_cli.copilot.cli import Copilot
    from llm_orc.providers.official_cli.lines import Fields

_LIMIT_S = 30.0  # it unpacks itself at its first start, which takes 8 s
_MOST_BYTES = 8_000_000


async def look_at(program: Copilot, environ: Mapping[str, str]) -> CliState:
    """Return the state; `problem` says what is missing and what to do about it."""
    row = program.row
    path = find_program(row, environ)
    if path is None:
        return not_installed(row)
    try:
        with tempfile.TemporaryDirectory(prefix="llm-orc-", ignore_cleanup_errors=True) as folder:
            return await _look(program, path, Path(folder), environ)
    except AccessNotSupported as e:
        return CliState(row.name, row.command, path, problem=e)
    except CantRun as e:
        why = str(e)
    except TimeoutError:
        why = f"does not answer within {_LIMIT_S:g} s"
    except TooMuchOutput:
        why = f"answers with more than {_MOST_BYTES / 1e6:g} MB"
    except OSError as e:
        why = why_not_started(e)
    broken = AccessNotSupported(f"`{path}` {why}", hint=f"Try it by hand: `{row.command} --version`.")
    return CliState(row.name, row.command, path, problem=broken)


async def _look(program: Copilot, path: Path, room: Path, environ: Mapping[str, str]) -> CliState:
    row = program.row
    env = child_env(environ, row.variables, program.variables(room, None))
    desk = room / "desk"
    desk.mkdir()
    argv = (str(path), *program.serving(room))
    async with asyncio.timeout(_LIMIT_S):
        child = await Child.start(argv, env, desk, most_bytes=_MOST_BYTES, framing=program.framing)
        try:
            connected = await _result(child, messages.CONNECT, messages.connect())
            number = version_of(Told(0, text_in(connected, "version"), ""))
            refuse_other_protocol(row, connected)
            status = await _result(child, messages.LOGIN_STATUS, messages.request(messages.LOGIN_STATUS, {}))
            standing = standing_of(status)
            problem = problem_of(program, number, standing)
            if isinstance(problem, NotLoggedIn):
                problem = await _reason(program, child, room) or problem
        finally:
            await child.stop()
    version = ".".join(str(part) for part in number)
    return CliState(row.name, row.command, path, version, standing.login, standing.plan, problem)


async def _reason(program: Copilot, child: Child, room: Path) -> AuthError | None:
    """Return why it knows no login, if a session can't begin for another reason than that; None otherwise."""
    said = await _answer(child, messages.CREATE, messages.create("look", room, None, "", None))
    if "error" not in said:
        return None
    failure: LlmOrcError = failure_of(Target(program.row.name, "default"), program.row, object_in(said, "error"))
    if isinstance(failure, NotLoggedIn):
        return failure
    words = one_line(text_in(said, "error", "message")) or "no reason given"
    return AccessNotSupported(
        f"`{program.command}` can't find out whether it is logged in: {words}",
        hint="Check the network, and your proxy.",
    )


async def _result(child: Child, name: str, request: bytes) -> Fields:
    said = await _answer(child, name, request)
    if "error" in said:
        raise CantRun(f"refuses `{name}`: {one_line(text_in(said, 'error', 'message')) or 'no reason given'}")
    return object_in(said, "result")


async def _answer(child: Child, name: str, request: bytes) -> Fields:
    """Return its answer to the request. Raises `CantRun` if it ends instead."""
    await child.write(request)
    while (message := await child.line()) is not None:
        said = fields_of(message)
        if said is not None and text_in(said, "id") == name and "method" not in said:
            return said
    code, complaint = await child.complaint()
    raise CantRun(f"can't run (exit code {code})" + (f": {complaint}" if complaint else ""))
