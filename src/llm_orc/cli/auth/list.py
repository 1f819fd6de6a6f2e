"""`llm-orc auth list`: the credentials there are, and which of them a run would use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llm_orc.cli.auth.arguments import auth_command
from llm_orc.cli.auth.notes import note_store
from llm_orc.cli.auth.values import credential_value
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table

if TYPE_CHECKING:
    from llm_orc.app.accounts.status import AuthStatus, CredentialStatus
    from llm_orc.app.wiring import App

_HEADING = (
    Column("PROVIDER"),
    Column("ACCOUNT", shrinks=True),
    Column("METHOD"),
    Column("STATE"),
    Column("PAYS"),
    Column("USED"),
    Column("SOURCE", shrinks=True),
)


@auth_command()
@json_option
def command(*, as_json: bool) -> None:
    """List all credentials, including the environment's and official CLIs, and which one a run would use.

    Official CLIs are asked how they are logged in; no provider is called.
    """
    from llm_orc.net.event_loop import run_to_end

    found = run_to_end(all_credentials(app_here()))
    if as_json:
        write_json([credential_value(credential) for credential in found.credentials])
    elif found.credentials:
        write_data(table(_HEADING, [_row(credential) for credential in found.credentials], columns(sys.stdout)))
    else:
        note("There are no credentials yet. Add one with: llm-orc auth add")
    note_store(found)


async def all_credentials(app: App) -> AuthStatus:
    """Return what the command lists."""
    from llm_orc.app.accounts.official_cli import look_at_clis
    from llm_orc.app.accounts.status import auth_status

    return auth_status(app, None, await look_at_clis(app))


def _row(credential: CredentialStatus) -> tuple[str, ...]:
    return (
        credential.provider,
        credential.account or "",
        credential.method or "",
        credential.state,
        str(credential.billing),
        "yes" if credential.is_used else "",
        credential.source,
    )
