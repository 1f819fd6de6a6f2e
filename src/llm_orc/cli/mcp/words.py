"""What the commands of `llm-orc mcp` say alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import note

if TYPE_CHECKING:
    from llm_orc.app.wiring import App

MANY_WORDS = 12  # of a command that are shown


def say_none() -> None:
    """Say that there are none, and how one is configured."""
    note("No MCP server is configured. In config.yaml (`llm-orc config path`):")
    note("  mcp_servers:")
    note("    NAME: {command: [PROGRAM, ARGUMENT, …]}   or {url: ADDRESS}")


def note_withheld(app: App) -> None:
    """Name the servers of a project that nobody has trusted."""
    from llm_orc.app.tools.servers import withheld_servers

    if names := withheld_servers(app):
        listed = ", ".join(f"`{name}`" for name in names)
        note(f"Without your trust, the project's servers have no effect: {listed}. See `llm-orc trust`.")
