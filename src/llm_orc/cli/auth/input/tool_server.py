"""Sign in to an MCP server from the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.auth.values import entry_value
from llm_orc.cli.shell.options import write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.process.stop_signals import INTERRUPTED
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.accounts.sign_in import SignInOptions
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry


def sign_in_to_server_here(
    app: App, server: str, options: SignInOptions, scopes: Sequence[str] = (), *, as_json: bool
) -> Entry:
    """Sign in and store it. `as_json`: standard output is taken."""
    from llm_orc.app.tools.sign_in import sign_in_to_server
    from llm_orc.cli.auth.input.terminal_ask import TerminalAsk
    from llm_orc.net.event_loop import run_to_end

    try:
        return run_to_end(sign_in_to_server(app, server, TerminalAsk(stdout_is_taken=as_json), options, scopes))
    except KeyboardInterrupt:
        note("\nStopped: nothing was changed.")
        raise click.exceptions.Exit(INTERRUPTED) from None


def say_signed_in(server: str, entry: Entry, *, as_json: bool) -> None:
    """Say what was stored."""
    if as_json:
        write_json(entry_value(entry))
    scopes = " ".join(getattr(entry.credential, "scopes", ()))
    permits = f" It permits: {one_line(scopes)}." if scopes else ""
    note(f"Signed in to the MCP server `{one_line(server)}`.{permits}")
    note(f"Try it: llm-orc mcp tools {one_line(server)}")
