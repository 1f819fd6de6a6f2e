"""`llm-orc auth switch`: make another account the active one."""

from __future__ import annotations

import click

from llm_orc.auth.credential import ApiKey
from llm_orc.cli.auth.arguments import auth_command, provider_argument
from llm_orc.cli.auth.notes import note_used
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note


@auth_command()
@provider_argument
@click.argument("account")
def command(*, provider: str, account: str) -> None:
    """Make ACCOUNT the active account of PROVIDER, which runs use. `llm-orc auth list` shows all accounts."""
    from llm_orc.app.accounts.sign_out import switch as switch_to

    app = app_here()
    entry = switch_to(app, provider, account)
    note(f"The account `{entry.account}` of `{entry.provider}` is the active one now.")
    method = "api-key" if isinstance(entry.credential, ApiKey) else "oauth"
    note_used(app, provider, unless=(method, entry.account))
