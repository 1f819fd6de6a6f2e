"""A source of tools: everything whose name begins with one prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llm_orc.agents.tools.tool import Tool


class Source(Protocol):
    """The tools of one prefix in one run. What it starts ends with `close`."""

    async def tools(self, name: str) -> tuple[Tool, ...]:
        """Return the tools that the whole name means; none: there is none of that name.

        What they need is started now, if it has not been. Raises what keeps them from being offered.
        """
        ...

    async def close(self) -> None:
        """End whatever was started. Never raises."""
        ...
