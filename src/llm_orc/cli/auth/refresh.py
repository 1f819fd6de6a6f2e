"""`llm-orc auth refresh`: renew a sign-in now."""

from __future__ import annotations

import time

import click

from llm_orc.auth.credential import OAuthToken
from llm_orc.cli.auth.arguments import account_option, auth_command, provider_argument
from llm_orc.cli.auth.input.pick import pick_stored
from llm_orc.cli.auth.values import entry_value
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.formats.figures import relative


@auth_command()
@provider_argument
@account_option
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document: the sign-in, without its secrets.")
def command(*, provider: str | None, account: str | None, as_json: bool) -> None:
    """Refresh the sign-in of PROVIDER now. Runs do it automatically, before it expires."""
    from llm_orc.app.accounts.verify import refresh_access
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    if provider is None:
        provider, account = pick_stored(
            app,
            "Which sign-in do you want to renew?",
            "no sign-in is stored, only API keys, which can't be refreshed",
            lambda entry: isinstance(entry.credential, OAuthToken),
        )
    entry = run_to_end(refresh_access(app, provider, account))
    if as_json:
        write_json(entry_value(entry))
    token = entry.credential
    ends = token.expires_at if isinstance(token, OAuthToken) else None
    until = (
        f"; it expires {relative(ends, time.time())}, and is refreshed automatically" if ends is not None else ""
    )
    note(f"Renewed the sign-in `{entry.provider}` (account `{entry.account}`){until}.")
