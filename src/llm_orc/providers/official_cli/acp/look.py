"""Find out whether an agent is there.

It is not started: some take half a minute, and a session would be kept in their own history. What else is wrong
with it, and whether it is logged in, shows when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.providers.official_cli.find import find_program, not_installed
from llm_orc.providers.official_cli.state import CliState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.official_cli.program import OfficialCli


async def look_at(program: OfficialCli, environ: Mapping[str, str]) -> CliState:
    """Return the state: where the program is. Its version and login are unknown."""
    path = find_program(program.row, environ)
    if path is None:
        return not_installed(program.row)
    return CliState(program.row.name, program.row.command, path)
