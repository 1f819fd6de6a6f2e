"""`llm-orc auth add`: an API key, or a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.catalog.table import OFFICIAL_CLIS
from llm_orc.cli.auth.arguments import auth_command, provider_argument
from llm_orc.cli.auth.input.key_input import KeySourceOptions, read_key
from llm_orc.cli.auth.input.official_cli import use_official_cli
from llm_orc.cli.shell.arguments import MethodName
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.process.stop_signals import INTERRUPTED
from llm_orc.cli.shell.prompts import confirmed, person_is_here, select
from llm_orc.cli.shell.streams import note

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod, WayName
    from llm_orc.app.accounts.sign_in import SignInOptions
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry

_CLI_NAMES = " and ".join(f"`{name}`" for name in OFFICIAL_CLIS)


@auth_command()
@provider_argument
@click.option(
    "--method",
    type=MethodName(),
    help=f"`api-key` is a key that you have, `oauth` a sign-in at the provider, {_CLI_NAMES} the vendor's own"
    " program and its sign-in.  [default: ask]",
)
@click.option("--device", is_flag=True, help="Sign in with a code that you type on any other device.")
@click.option("--no-browser", is_flag=True, help="Print the address of the sign-in page; don't open it.")
@click.option("--from-stdin", is_flag=True, help="Read the API key from standard input.")
@click.option(
    "--from-file", metavar="FILE", help="Read the API key from this file, e.g. `--from-file ~/openai.key`."
)
@click.option(
    "--from-env",
    metavar="NAME",
    help="Take the API key from this environment variable and keep it, e.g. `--from-env OPENAI_API_KEY`.",
)
@click.option(
    "--account",
    metavar="NAME",
    help="Keep it under this name, beside others, e.g. `--account work`.  [default: default]",
)
@click.option("--acknowledge-terms", is_flag=True, help="Say yes to the provider's terms that `auth add` shows.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document: what was added, without the secret."
)
def command(
    *,
    provider: str,
    method: WayName | None,
    device: bool,
    no_browser: bool,
    from_stdin: bool,
    from_file: str | None,
    from_env: str | None,
    account: str | None,
    acknowledge_terms: bool,
    as_json: bool,
) -> None:
    """Add an API key of PROVIDER, or sign in there, and make it the active account.

    Runs use the active account, unless the configuration names another way; then that is said.

    Without --method it shows what the provider offers and who pays, and asks. Keys and tokens are kept encrypted
    (`llm-orc auth status` says how well); none goes on the command line.

    \b
    llm-orc auth add anthropic-claude-pro-max
    llm-orc auth add openrouter
    llm-orc auth add openai --from-stdin < openai.key
    llm-orc auth add huggingface --device
    """
    from llm_orc.app.accounts.auth_methods import find_auth_method
    from llm_orc.app.accounts.sign_in import SignInOptions
    from llm_orc.cli.auth.values import entry_value

    app = app_here()
    key = KeySourceOptions(from_stdin, from_file, from_env)
    _refuse_contradictions(method, key, for_sign_in=device or no_browser)
    if method is None:
        method = "api-key" if key.count else "oauth" if device or no_browser else _ask_for_method(app, provider)
    if method in OFFICIAL_CLIS:
        use_official_cli(app, provider, method, as_json=as_json)
        return
    if method == "api-key":
        entry = _add_key(app, provider, key, account)
    else:
        way = find_auth_method(app, provider, method)
        acknowledged = acknowledge_terms or _agrees_to_terms(way)
        entry = _sign_in(
            app,
            provider,
            SignInOptions(account, device=device, no_browser=no_browser, acknowledge_terms=acknowledged),
            as_json=as_json,
        )
    if as_json:
        write_json(entry_value(entry))
    _say(app, entry)


def add_access(app: App, provider: str, method: WayName | None = None) -> None:
    """Add a key or sign in, asking for all that is open: for a person at a terminal."""
    from llm_orc.app.accounts.auth_methods import find_auth_method
    from llm_orc.app.accounts.sign_in import SignInOptions

    method = method or _ask_for_method(app, provider)
    if method in OFFICIAL_CLIS:
        use_official_cli(app, provider, method, as_json=False)
        return
    if method == "api-key":
        entry = _add_key(app, provider, KeySourceOptions(), None)
    else:
        acknowledged = _agrees_to_terms(find_auth_method(app, provider, method))
        entry = _sign_in(app, provider, SignInOptions(None, acknowledge_terms=acknowledged), as_json=False)
    _say(app, entry)


def _refuse_contradictions(method: WayName | None, key: KeySourceOptions, *, for_sign_in: bool) -> None:
    context = click.get_current_context()
    if key.count > 1:
        raise click.UsageError("A key has one source: --from-stdin, --from-file or --from-env.", context)
    if key.count and (for_sign_in or method not in {None, "api-key"}):
        raise click.UsageError("--from-stdin, --from-file and --from-env are for API keys only.", context)
    if for_sign_in and method not in {None, "oauth"}:
        raise click.UsageError("--device and --no-browser are for `--method oauth`.", context)


def _ask_for_method(app: App, provider: str) -> WayName:
    """The menu. Where nobody can choose, the ways are named and the exit code is 2."""
    from llm_orc.app.accounts.auth_methods import auth_methods

    ways = auth_methods(app, provider)
    if not ways:
        raise click.UsageError(f"`{provider}` needs no credential.", click.get_current_context())
    if not person_is_here():
        named = "".join(f"\n  --method {way.name}: {_described(way)}" for way in ways)
        raise click.UsageError(
            f"Nobody is here to choose how to sign in; say it.{named}", click.get_current_context()
        )
    if len(ways) == 1:
        return ways[0].name
    return ways[select(f"Ways to get access to `{provider}`:", [_described(way) for way in ways])].name


def _described(way: AuthMethod) -> str:
    from llm_orc.cli.shell.access_lines import WHO_PAYS

    return f"{way.title} · {WHO_PAYS[way.billing]} · {way.state}"


def _add_key(app: App, provider: str, source: KeySourceOptions, account: str | None) -> Entry:
    from llm_orc.app.accounts.auth_methods import find_auth_method
    from llm_orc.app.accounts.sign_in import add_api_key

    find_auth_method(app, provider, "api-key")  # before anybody types a key
    return add_api_key(app, provider, read_key(source, provider, app.environment.environ), account=account)


def _agrees_to_terms(way: AuthMethod) -> bool:
    """Show what the provider demands to know, and ask. Where nobody can answer, that is no yes."""
    if way.notice is None or not way.is_ready or not person_is_here():
        return False
    note(f"{way.notice.text}\n({way.notice.link}, as of {way.notice.date})")
    return confirmed("Go on, knowing this?")


def _sign_in(app: App, provider: str, options: SignInOptions, *, as_json: bool) -> Entry:
    from llm_orc.app.accounts.sign_in import keep_login, sign_in
    from llm_orc.cli.auth.input.terminal_ask import TerminalAsk
    from llm_orc.net.event_loop import run_to_end

    try:
        login = run_to_end(sign_in(app, provider, TerminalAsk(stdout_is_taken=as_json), options))
    except KeyboardInterrupt:
        note("\nStopped: nothing was changed.")
        raise click.exceptions.Exit(INTERRUPTED) from None
    return keep_login(app, provider, login, options)


def _say(app: App, entry: Entry) -> None:
    from llm_orc.app.access.credentials import open_credentials
    from llm_orc.auth.credential import ApiKey
    from llm_orc.cli.auth.notes import note_used
    from llm_orc.cli.shell.access_lines import WHO_PAYS

    what = "API key" if isinstance(entry.credential, ApiKey) else "sign-in"
    protection = open_credentials(app).protection
    note(f"Added the {what} of `{entry.provider}` (account `{entry.account}`); {WHO_PAYS[entry.billing]}.")
    if protection is not None:
        note(f"It is kept {protection.words}.")
    note_used(app, entry.provider, unless=("api-key" if what == "API key" else "oauth", entry.account))
    note(f"Try it: llm-orc auth test {entry.provider}")
