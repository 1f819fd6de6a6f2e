"""`llm-orc mcp login`: sign in to a server over HTTP."""

from __future__ import annotations

import click

from llm_orc.cli.auth.input.tool_server import say_signed_in, sign_in_to_server_here
from llm_orc.cli.shell.arguments import McpServerName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option


@define_command()
@click.argument("server", type=McpServerName())
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="Ask for this permission, e.g. `--scope issues:read`; may be repeated.  [default: as the server asks]",
)
@click.option("--no-browser", is_flag=True, help="Print the address of the sign-in page instead of opening it.")
@json_option
def command(*, server: str, scopes: tuple[str, ...], no_browser: bool, as_json: bool) -> None:
    """Sign in to SERVER in the browser (OAuth 2.1).

    The tokens are stored encrypted, and refreshed by themselves. The server says where one signs in; unless
    `mcp_servers.SERVER.client_id` names a client, one is registered there. `llm-orc auth add mcp:SERVER` does the
    same.

    \b
    llm-orc mcp login github
    """
    from llm_orc.app.accounts.sign_in import SignInOptions

    entry = sign_in_to_server_here(
        app_here(), server, SignInOptions(no_browser=no_browser), scopes, as_json=as_json
    )
    say_signed_in(server, entry, as_json=as_json)
