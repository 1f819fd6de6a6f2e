"""Check whether an agent starts and speaks our version of the Agent Client Protocol.

Only the handshake is done: a session would be kept in the agent's own history. Whether it is logged in therefore
shows only when it is called.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, AuthError
from llm_orc.net.text import one_line
from llm_orc.providers.official_cli.acp import messages
from llm_orc.providers.official_cli.acp.turn import refuse_other_version
from llm_orc.providers.official_cli.child_env import child_env
from llm_orc.providers.official_cli.detect import why_not_started
from llm_orc.providers.official_cli.find import find_program, not_installed
from llm_orc.providers.official_cli.lines import fields_of, object_in, text_in
from llm_orc.providers.official_cli.process import Child, TooMuchOutput
from llm_orc.providers.official_cli.state import CliState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.program import OfficialCli

_LIMIT_S = 20.0  # some of them fetch themselves when they start
_MOST_BYTES = 8_000_000


async def look_at(program: OfficialCli, environ: Mapping[str, str]) -> CliState:
    """Return the state; `problem` says what is missing and what to do about it."""
    row = program.row
    path = find_program(row, environ)
    if path is None:
        return not_installed(row)
    command = " ".join((row.command, *row.arguments))
    try:
        initialized = await _shake_hands(program, path, environ)
        refuse_other_version(row, initialized)
    except AuthError as e:
        return CliState(row.name, row.command, path, problem=e)
    except (OSError, TooMuchOutput) as e:
        # TimeoutError is an OSError without an error number.
        why = why_not_started(e) if isinstance(e, OSError) and not isinstance(e, TimeoutError) else ""
        why = why or f"does not begin the Agent Client Protocol within {_LIMIT_S:g} s"
        broken = AccessNotSupported(f"`{command}` {why}", hint=f"Try it by hand: `{command}`.")
        return CliState(row.name, row.command, path, problem=broken)
    version = one_line(text_in(initialized, "agentInfo", "version"), 40)
    return CliState(row.name, row.command, path, version or None)


async def _shake_hands(program: OfficialCli, path: Path, environ: Mapping[str, str]) -> Fields:
    """Return the result of `initialize`. Raises `AccessNotSupported`, `OSError`, `TooMuchOutput`."""
    row = program.row
    with tempfile.TemporaryDirectory(prefix="llm-orc-", ignore_cleanup_errors=True) as room:
        env = child_env(environ, row.variables, program.variables(Path(room), None))
        child = await Child.start((str(path), *row.arguments), env, Path(room), most_bytes=_MOST_BYTES)
        try:
            async with asyncio.timeout(_LIMIT_S):
                await child.send(messages.initialize())
                while (line := await child.line()) is not None:
                    said = fields_of(line)
                    if said is not None and text_in(said, "id") == messages.INITIALIZE:
                        return _result_of(program, said)
                code, complaint = await child.complaint()
        finally:
            await child.stop()
    words = f": {complaint}" if complaint else ""
    raise AccessNotSupported(
        f"`{row.command}` ended (exit code {code}) instead of answering{words}",
        hint=f"Try it by hand: `{' '.join((row.command, *row.arguments))}`.",
    )


def _result_of(program: OfficialCli, said: Fields) -> Fields:
    if "error" in said:
        raise AccessNotSupported(
            f"`{program.command}` refuses to begin the Agent Client Protocol:"
            f" {one_line(text_in(said, 'error', 'message')) or 'no reason given'}",
            hint=f"Update `{program.command}`.",
        )
    return object_in(said, "result")
