"""`llm-orc auth logout`: end a sign-in at its provider and delete it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.catalog.table import PROVIDERS
from llm_orc.cli.auth.arguments import account_option, auth_command, provider_argument
from llm_orc.cli.auth.input.official_cli import log_out_of_cli
from llm_orc.cli.auth.input.pick import pick_stored
from llm_orc.cli.auth.notes import note_used
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.errors import NotLoggedIn
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from llm_orc.app.accounts.sign_out import SignedOut

NOT_CONFIRMED = 5


@auth_command(
    {
        0: "deleted here, and ended at the provider where it was a sign-in",
        NOT_CONFIRMED: "deleted here, but the provider did not confirm that it is ended there",
    }
)
@provider_argument
@account_option
@click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document: what was done here and at the provider."
)
def command(*, provider: str | None, account: str | None, as_json: bool) -> int:
    """Revoke the sign-in at PROVIDER (RFC 7009) if possible, and delete it here in any case.

    Only its owner can revoke an API key, on the provider's page; here it is deleted. The login of an official CLI
    belongs to that program: the command names its own logout, and in a terminal offers to run it.
    """
    from llm_orc.app.accounts.sign_out import log_out
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    if provider is None:
        provider, account = pick_stored(app, "Which one do you want to sign out of?")
    try:
        done = run_to_end(log_out(app, provider, account))
    except NotLoggedIn:
        if as_json or account is not None or not log_out_of_cli(app, provider):
            raise
        note_used(app, provider)
        return 0
    if as_json:
        write_json(
            {
                "provider": done.entry.provider,
                "account": done.entry.account,
                "deleted": True,
                "at_provider": done.at_provider,
                "reason": done.reason or None,
            }
        )
    say_signed_out(done)
    note_used(app, provider)
    return NOT_CONFIRMED if done.at_provider == "not-confirmed" else 0


def say_signed_out(done: SignedOut) -> None:
    """Say what was done here and at the provider."""
    name = f"`{done.entry.provider}` (account `{done.entry.account}`)"
    match done.at_provider:
        case "revoked":
            note(f"Signed out of {name}: revoked at the provider and deleted here.")
        case "key-remains":
            spec = PROVIDERS.get(done.entry.provider)
            where = f": {spec.keys_at}" if spec and spec.keys_at else "'s own page"
            note(f"Deleted the API key of {name} here. It still works; revoke it at the provider{where}")
        case "not-confirmed":
            note(f"Deleted the sign-in {name} here. The provider did not confirm that it is revoked:")
            note(f"  {one_line(done.reason)}")
            note("If that matters, revoke it in your account at the provider.")
