"""`llm-orc auth switch`: make another account the active one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.auth.credential import ApiKey
from llm_orc.cli.auth.arguments import auth_command, provider_argument
from llm_orc.cli.auth.input.pick import pick_stored
from llm_orc.cli.auth.notes import note_used
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@auth_command()
@provider_argument
@click.argument("account", required=False)
def command(*, provider: str | None, account: str | None) -> None:
    """Make ACCOUNT the active account of PROVIDER, which runs use. `llm-orc auth list` shows all accounts."""
    from llm_orc.app.accounts.sign_out import switch as switch_to

    app = app_here()
    if provider is None or account is None:
        provider, account = _picked(app, provider)
    entry = switch_to(app, provider, account)
    note(f"The account `{entry.account}` of `{entry.provider}` is the active one now.")
    method = "api-key" if isinstance(entry.credential, ApiKey) else "oauth"
    note_used(app, provider, unless=(method, entry.account))


def _picked(app: App, provider: str | None) -> tuple[str, str]:
    """Let the person choose an account that is not the active one."""
    return pick_stored(
        app,
        "Which account should be the active one?",
        f"{f'`{provider}` has no' if provider else 'no provider has a'} second account to switch to",
        lambda entry: not entry.is_active and provider in {None, entry.provider},
    )
