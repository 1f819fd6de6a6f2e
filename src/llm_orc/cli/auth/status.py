"""`llm-orc auth status`: the state of each credential, and which of them a run would use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from llm_orc.app.diagnostics.clock_skew import CURE, NOTABLE_S, skew_words
from llm_orc.cli.auth.arguments import auth_command
from llm_orc.cli.auth.notes import note_store
from llm_orc.cli.auth.values import status_value
from llm_orc.cli.shell.arguments import ProviderName
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.formats.figures import relative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.accounts.status import AuthStatus, CredentialStatus

_READ_ONLY = {"environment", "configuration", "token-command", "profile"}


@auth_command({4: "a provider that is shown has no access that a run would take, or the store can't be opened"})
@click.argument("provider", required=False, type=ProviderName())
@click.option(
    "--verify", is_flag=True, help="Make one minimal call to each provider in use; may cost a fraction of a cent."
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def command(*, provider: str | None, verify: bool, as_json: bool) -> int:
    """Show the state of the credentials: who pays, when they expire, and which of them a run would use.

    \b
    verified    the provider accepted it; the time is shown beside it
    unverified  not tried yet
    lapsed      expired; the next call refreshes it automatically
    expired     expired for good: sign in again
    refused     the provider refused it; it is not sent again until `auth test` tries it
    ungranted   signed in, without a permission that every call needs
    damaged     this entry of the store can't be read
    locked      the store can't be opened now
    corrupt     the store is damaged
    absent      there is none

    Without --verify nobody is asked. PROVIDER is shown even where it has nothing.
    """
    from llm_orc.app.accounts.official_cli import look_at_clis
    from llm_orc.app.accounts.status import auth_status
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    clis = run_to_end(look_at_clis(app, provider))
    found = auth_status(app, provider, clis)
    failures: dict[str, str] = {}
    if verify:
        from llm_orc.app.accounts.verify import verify_access

        failures = run_to_end(verify_access(app, found))
        found = auth_status(app, provider, clis)
    if as_json:
        write_json(status_value(found, failures))
    else:
        write_data("".join(f"{line}\n" for line in _lines(found, failures, time.time())))
        note_store(found)
    return 4 if failures or not found.is_good else 0


def _lines(found: AuthStatus, failures: dict[str, str], now: float) -> Iterator[str]:
    told: set[str] = set()
    for credential in found.credentials:
        yield from _credential_lines(credential, now)
        if credential.provider in failures and credential.provider not in told:
            told.add(credential.provider)
            yield f"  tried    {failures[credential.provider]}"
    if not found.credentials:
        yield "There are no credentials yet. Add one with: llm-orc auth add"
    if found.protection is not None:
        yield ""
        yield f"Stored in {found.store.path}: {found.protection.words}"


def _credential_lines(credential: CredentialStatus, now: float) -> Iterator[str]:
    from llm_orc.cli.shell.access_lines import WHO_PAYS

    account = f" · account {credential.account}" if credential.account else ""
    label = f" ({credential.label})" if credential.label else ""
    method = f" · {credential.method}" if credential.method else ""
    yield f"{credential.provider}{method}{account}{label}"
    yield f"  state    {credential.state}: {credential.why}"
    if credential.state != "absent":
        yield f"  pays     {WHO_PAYS[credential.billing]}"
        if credential.interactive_only is not None:
            yield f"  only     interactive use: {credential.interactive_only}"
        yield f"  from     {credential.source}" + (" (read only)" if credential.place in _READ_ONLY else "")
    for name, moment in _moments(credential):
        yield f"  {name:<8} {relative(moment, now)}"
    if abs(credential.clock_skew_s or 0.0) > NOTABLE_S:
        yield f"  clock    {skew_words('its sign-in server', credential.clock_skew_s or 0.0)}. {CURE}"
    yield from _allowance_lines(credential)
    if credential.scopes:
        yield f"  scopes   {' '.join(credential.scopes)}"
    if credential.use:
        yield f"  used     {'yes' if credential.is_used else 'no'}: {credential.use}"
    if credential.shadows:
        yield f"  shadows   {', '.join(credential.shadows)}"
    if credential.hint:
        yield f"  do       {credential.hint}"


def _allowance_lines(credential: CredentialStatus) -> Iterator[str]:
    """How much it may spend or use, in its provider's words."""
    if credential.spend_cap:
        yield f"  cap      {credential.spend_cap}"
    if credential.is_used and credential.in_use:
        yield f"  plan     {credential.in_use}"
    if credential.usage_page:
        yield f"  usage    Manage usage: {credential.usage_page}"


def _moments(credential: CredentialStatus) -> Iterator[tuple[str, float]]:
    for name, moment in (
        ("added", credential.obtained_at),
        ("ends" if credential.state != "lapsed" else "ended", credential.expires_at),
        ("renewed", credential.refreshed_at),
        ("proven", credential.proven_at),
        ("terms", credential.terms_acknowledged_at),
    ):
        if moment is not None:
            yield name, moment
