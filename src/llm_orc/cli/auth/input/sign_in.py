"""Sign in from the terminal: terms, spend cap, the browser, and the permissions that were not granted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_orc.auth.credential import ApiKey
from llm_orc.cli.auth.input.add_key import ask_to_replace, refuse_to_replace
from llm_orc.cli.auth.input.spend_cap import ask_for_cap, may_have_cap
from llm_orc.cli.auth.input.terms import agrees_to_terms
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.process.stop_signals import INTERRUPTED
from llm_orc.cli.shell.prompts import confirmed, person_is_here

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider
    from llm_orc.app.accounts.sign_in import SignInOptions
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry


def sign_in_here(
    app: App, provider: AuthProvider, method: AuthMethod, options: SignInOptions, *, as_json: bool, replaces: bool
) -> Entry:
    """Sign in and store it. `as_json`: standard output is taken; `replaces`: replace a key without a question."""
    from llm_orc.app.accounts.sign_in import keep_login, lacking_permissions, sign_in
    from llm_orc.cli.auth.input.terminal_ask import TerminalAsk
    from llm_orc.net.event_loop import run_to_end

    if not replaces:
        _may_replace_key(app, provider, options.account)
    acknowledged = options.acknowledge_terms or agrees_to_terms(method)
    options = replace(options, acknowledge_terms=acknowledged)
    if options.cap is None and may_have_cap(method) and person_is_here():
        options = replace(options, cap=ask_for_cap())
    try:
        login = run_to_end(sign_in(app, provider, TerminalAsk(stdout_is_taken=as_json), options))
    except KeyboardInterrupt:
        note("\nStopped: nothing was changed.")
        raise click.exceptions.Exit(INTERRUPTED) from None
    entry = keep_login(app, provider, login, options)
    if (lacking := lacking_permissions(provider, entry)) is None:
        return entry
    if options.consent or not person_is_here():
        raise lacking
    note(f"You are signed in, but {lacking.message}.")
    if not confirmed("Open the page again, to allow it?"):
        raise lacking
    again = replace(options, consent=True)
    return sign_in_here(app, provider, method, again, as_json=as_json, replaces=True)


def _may_replace_key(app: App, provider: AuthProvider, account: str | None) -> None:
    """Ask before a sign-in takes the place of an API key; one in the place of a sign-in only renews it."""
    from llm_orc.app.accounts.new_key import needs_yes, standing_entry

    standing = standing_entry(app, provider.name, account)
    if standing is not None and needs_yes(standing) and isinstance(standing.credential, ApiKey):
        refuse_to_replace(standing)
        ask_to_replace(standing)
