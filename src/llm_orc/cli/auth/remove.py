"""`llm-orc auth remove`: delete a credential here."""

from __future__ import annotations

from llm_orc.cli.auth.arguments import account_option, auth_command, provider_argument
from llm_orc.cli.auth.input.pick import pick_stored
from llm_orc.cli.auth.notes import note_used
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note


@auth_command()
@provider_argument
@account_option
def command(*, provider: str | None, account: str | None) -> None:
    """Delete the stored credential of PROVIDER. The provider is not told: use `logout` to revoke a sign-in.

    If the account's sign-in has registered a client, that is forgotten as well, which `logout` does not do.
    """
    from llm_orc.app.accounts.sign_out import remove as remove_entry

    app = app_here()
    if provider is None:
        provider, account = pick_stored(app, "Which one do you want to delete here?")
    removed = remove_entry(app, provider, account)
    if removed.entry is not None:
        note(f"Deleted the credential of `{provider}` (account `{removed.entry.account}`) here.")
    elif not removed.forgot_client:
        note(f"Deleted the damaged entry of `{provider}`.")
    if removed.forgot_client:
        note("Its next sign-in registers this machine anew.")
    note_used(app, provider)
