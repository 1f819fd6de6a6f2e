"""`run.NAME`: the programs that are described."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.tool_sources.programs.program import ProgramTool
    from llm_orc.agents.tools.tool import Tool


class ProgramSource:
    """A `Source` of programs. `find` returns a program, or raises why there is none."""

    def __init__(self, find: Callable[[str], ProgramTool]) -> None:
        self._find = find

    async def tools(self, name: str) -> tuple[Tool, ...]:
        return (self._find(name).tool(),)

    async def close(self) -> None:
        """Each program ends with its call."""
