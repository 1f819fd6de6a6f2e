"""`llm-orc mcp logout`: end the sign-in to a server."""

from __future__ import annotations

import click

from llm_orc.auth.credential import stored_name
from llm_orc.cli.auth.logout import NOT_CONFIRMED, say_signed_out
from llm_orc.cli.shell.arguments import McpServerName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.errors import NotLoggedIn


@define_command(
    {
        0: "deleted here, and ended at the server where one signs in",
        NOT_CONFIRMED: "deleted here, but that server did not confirm that it is ended there",
    }
)
@click.argument("server", type=McpServerName())
def command(*, server: str) -> int:
    """Revoke the sign-in to SERVER (RFC 7009) if possible, and delete it here in any case."""
    from llm_orc.app.accounts.sign_out import log_out
    from llm_orc.net.event_loop import run_to_end

    try:
        done = run_to_end(log_out(app_here(), stored_name(server)))
    except NotLoggedIn:
        raise NotLoggedIn(
            f"there is no sign-in to the MCP server `{server}`", hint=f"llm-orc mcp login {server}"
        ) from None
    say_signed_out(done)
    return NOT_CONFIRMED if done.at_provider == "not-confirmed" else 0
