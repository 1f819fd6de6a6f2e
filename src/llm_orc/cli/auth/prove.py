"""`llm-orc auth test` and `auth refresh`: does it work, and renew it."""

from __future__ import annotations

import time

import click

from llm_orc.cli.auth.arguments import account_option, auth_command, provider_argument
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.streams import note
from llm_orc.formats.figures import relative, seconds
from llm_orc.formats.printable import one_line


@auth_command("test", "Ask a provider one minimal question.")
@provider_argument
@click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document: over which access which model answered."
)
def test(*, provider: str, as_json: bool) -> None:
    """Ask PROVIDER's default model one minimal question, with the credential that a run would use.

    With a metered credential it costs a fraction of a cent.
    """
    from llm_orc.app.accounts.verify import try_access
    from llm_orc.cli.shell.access_lines import WHO_PAYS
    from llm_orc.formats.json_values import access_value
    from llm_orc.net.event_loop import run_to_end

    proof = run_to_end(try_access(app_here(), provider))
    if as_json:
        write_json({"access": access_value(proof.access), "model": proof.model, "took_s": round(proof.took_s, 3)})
    note(one_line(f"{provider} {proof.model} answered after {seconds(proof.took_s)}."))
    note("  " + one_line(f"{WHO_PAYS[proof.access.billing]} · {proof.access.source}"))


@auth_command("refresh", "Renew a sign-in now.")
@provider_argument
@account_option
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document: the sign-in, without its secrets.")
def refresh(*, provider: str, account: str | None, as_json: bool) -> None:
    """Renew the sign-in of PROVIDER now. Runs do it by themselves, in good time."""
    from llm_orc.app.accounts.verify import refresh_access
    from llm_orc.auth.credential import OAuthToken
    from llm_orc.cli.auth.values import entry_value
    from llm_orc.net.event_loop import run_to_end

    entry = run_to_end(refresh_access(app_here(), provider, account))
    if as_json:
        write_json(entry_value(entry))
    token = entry.credential
    ends = token.expires_at if isinstance(token, OAuthToken) else None
    until = f"; it ends {relative(ends, time.time())}, and is renewed by itself" if ends is not None else ""
    note(f"Renewed the sign-in `{entry.provider}` (account `{entry.account}`){until}.")
