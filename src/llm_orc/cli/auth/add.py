"""`llm-orc auth add`: an API key, or a sign-in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_orc.auth.credential import ApiKey, server_of
from llm_orc.cli.auth.arguments import auth_command, provider_argument
from llm_orc.cli.auth.input.access_menu import choose_access, described
from llm_orc.cli.auth.input.add_key import KeyRequest, add_key
from llm_orc.cli.auth.input.key_input import KeySourceOptions
from llm_orc.cli.auth.input.official_cli import use_official_cli
from llm_orc.cli.auth.input.sign_in import sign_in_here
from llm_orc.cli.auth.input.spend_cap import told_by_options
from llm_orc.cli.auth.input.tool_server import say_signed_in, sign_in_to_server_here
from llm_orc.cli.auth.notes import note_used
from llm_orc.cli.auth.values import entry_value
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.arguments import MethodName
from llm_orc.cli.shell.consent import settle_plan_credits
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import nobody_to_ask, person_is_here, select
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider
    from llm_orc.app.accounts.sign_in import SignInOptions
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.methods.spend_cap import Period
    from llm_orc.settings.model import AuthMethodName


@auth_command()
@provider_argument
@click.option(
    "--method",
    type=MethodName(),
    help="`api-key` is a key that you have, `oauth` a sign-in at the provider, and the name of a program, such"
    " as `claude-cli`, the vendor's own program and its sign-in; `token-command` is set up in config.yaml."
    "  [default: ask]",
)
@click.option("--device", is_flag=True, help="Sign in with a code that you type on any other device.")
@click.option("--no-browser", is_flag=True, help="Print the address of the sign-in page instead of opening it.")
@click.option("--consent", is_flag=True, help="Let the provider ask for all permissions again.")
@click.option("--from-stdin", is_flag=True, help="Read the API key from standard input.")
@click.option(
    "--from-file", metavar="FILE", help="Read the API key from this file, e.g. `--from-file ~/openai.key`."
)
@click.option(
    "--from-env",
    metavar="NAME",
    help="Read the API key from this environment variable, e.g. `--from-env OPENAI_API_KEY`.",
)
@click.option(
    "--account",
    metavar="NAME",
    help="Store it under this name, beside others, e.g. `--account work`.  [default: default]",
)
@click.option(
    "--limit",
    "limit_usd",
    type=click.FloatRange(0, min_open=True),
    metavar="USD",
    help="At a sign-in at OpenRouter: ask for a key that can't spend more, e.g. `--limit 5`.  [default: ask]",
)
@click.option(
    "--limit-period",
    type=click.Choice(["daily", "weekly", "monthly"]),
    help="How often --limit starts anew.  [default: never]",
)
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="At a sign-in at OpenRouter: the last day of the key, e.g. `--expires 2027-01-31`.",
)
@click.option("--acknowledge-terms", is_flag=True, help="Agree to the provider's terms that `auth add` shows.")
@click.option(
    "--allow-plan-credits",
    is_flag=True,
    help="Agree to a plan that passes into credits as its account allows.  [default: ask]",
)
@click.option(
    "--replace", "replaces", is_flag=True, help="Replace the account's stored credential.  [default: ask]"
)
@click.option("--no-verify", is_flag=True, help="Store the key without asking its provider whether it works.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document: what was added, without the secret."
)
def command(
    *,
    provider: str | None,
    method: AuthMethodName | None,
    device: bool,
    no_browser: bool,
    consent: bool,
    from_stdin: bool,
    from_file: str | None,
    from_env: str | None,
    account: str | None,
    limit_usd: float | None,
    limit_period: Period | None,
    expires: datetime | None,
    acknowledge_terms: bool,
    allow_plan_credits: bool,
    replaces: bool,
    no_verify: bool,
    as_json: bool,
) -> None:
    """Add an API key of PROVIDER, or sign in there, and make it the active account.

    Without PROVIDER it shows all kinds of access, in a terminal as a menu: what is found on this machine, keys,
    sign-ins, plans and local models, each with who pays and what restricts it.

    Runs use the active account unless the configuration names another auth method; the command then says so.

    Without --method it shows the provider's auth methods and who pays, and asks. A key is tested with a request
    that costs nothing before it is stored or replaces another; where it is refused, nothing is changed. Keys and
    tokens are stored encrypted (`llm-orc auth status` says how well); none is passed on the command line.

    \b
    llm-orc auth add
    llm-orc auth add anthropic-claude-pro-max
    llm-orc auth add openrouter --limit 5 --limit-period monthly
    llm-orc auth add openai --from-stdin < openai.key
    llm-orc auth add huggingface --device
    """
    from llm_orc.app.accounts.auth_methods import open_provider
    from llm_orc.app.accounts.sign_in import SignInOptions

    request = AddRequest(
        method,
        KeySourceOptions(from_stdin, from_file, from_env),
        SignInOptions(
            account,
            device=device,
            no_browser=no_browser,
            consent=consent,
            acknowledge_terms=acknowledge_terms,
            cap=told_by_options(limit_usd, limit_period, expires),
        ),
        as_json=as_json,
        allow_plan_credits=allow_plan_credits,
        replaces=replaces,
        verifies=not no_verify,
    )
    _refuse_contradictions(request)
    app = app_here()
    if provider is not None and (server := server_of(provider)) is not None:
        entry = sign_in_to_server_here(app, server, request.sign_in, as_json=as_json)
        say_signed_in(server, entry, as_json=as_json)
    elif provider is None:
        choose_and_add_access(app, request)
    else:
        add_access(app, open_provider(app, provider), request)


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What the options of `auth add` ask for. Without a method, and where they tell none, the person is asked."""

    method: AuthMethodName | None
    key: KeySourceOptions
    sign_in: SignInOptions
    as_json: bool
    allow_plan_credits: bool = False
    replaces: bool = False
    verifies: bool = True

    @property
    def key_request(self) -> KeyRequest:
        asked = self.sign_in
        return KeyRequest(self.key, asked.account, asked.acknowledge_terms, self.replaces, self.verifies)

    @property
    def told_method(self) -> AuthMethodName | None:
        """The method that was named, or the only one that the other options are for."""
        if self.method is not None:
            return self.method
        if self.key.count:
            return "api-key"
        return "oauth" if self.is_for_sign_in else None

    @property
    def is_for_sign_in(self) -> bool:
        asked = self.sign_in
        return asked.device or asked.no_browser or asked.consent or asked.cap is not None


def choose_and_add_access(app: App, request: AddRequest | None = None) -> bool:
    """Let the person choose access and add it; return whether they chose one that needed adding."""
    from llm_orc.app.accounts.sign_in import SignInOptions

    request = request or AddRequest(None, KeySourceOptions(), SignInOptions(), as_json=False)
    choice = choose_access(app, request.told_method)
    if choice is None:
        return False
    if choice.method is None:
        note(f"{choice.provider.spec.title} needs no key: {choice.provider.spec.start_hint}.")
        note("Then it is found automatically: llm-orc setup")
        return False
    key = KeySourceOptions(from_env=choice.variable) if choice.variable and not request.key.count else request.key
    add_access(app, choice.provider, replace(request, method=choice.method.name, key=key))
    return True


def ask_and_add_access(app: App, provider: AuthProvider, *, replaces: bool = False) -> None:
    """Add a key or sign in; ask the person at the terminal for everything. `replaces`: not whether to replace."""
    from llm_orc.app.accounts.sign_in import SignInOptions

    add_access(
        app, provider, AddRequest(None, KeySourceOptions(), SignInOptions(), as_json=False, replaces=replaces)
    )


def add_access(app: App, provider: AuthProvider, request: AddRequest) -> None:
    """Add a key or sign in as requested, and say what runs use now."""
    from llm_orc.app.access.consent import interactive_notice

    if (notice := interactive_notice(provider.spec)) is not None:
        note(notice)
    told = request.told_method
    method = provider.method(told) if told is not None else _ask_for_method(provider)
    if method.name == provider.spec.cli:
        settle_plan_credits(app, provider.name, method.billing, is_agreed=request.allow_plan_credits)
        use_official_cli(app, provider, method, as_json=request.as_json)
        return
    if method.name == "token-command":
        note(f"Nothing to add: {method.state}. Try it: llm-orc auth test {provider.name}")
        return
    tested = ""
    if method.name == "api-key":
        added = add_key(app, provider, method, request.key_request)
        provider, entry = added.provider, added.entry
        tested = f"Not tested: {added.untested}." if added.untested else f"Tested: `{entry.provider}` accepts it."
    else:
        entry = sign_in_here(
            app, provider, method, request.sign_in, as_json=request.as_json, replaces=request.replaces
        )
    if request.as_json:
        write_json(entry_value(entry))
    settle_plan_credits(app, entry.provider, entry.billing, is_agreed=request.allow_plan_credits)
    _say(app_here(), provider, entry, tested)


def _refuse_contradictions(request: AddRequest) -> None:
    if request.key.count > 1:
        raise UsageMistake(
            "there is more than one source of the key",
            hint="Give one of --from-stdin, --from-file and --from-env.",
        )
    if request.key.count and (request.is_for_sign_in or request.method not in {None, "api-key"}):
        raise UsageMistake(
            "--from-stdin, --from-file and --from-env are for API keys only",
            hint="Leave them out, or add an API key with `--method api-key`.",
        )
    if request.is_for_sign_in and request.method not in {None, "oauth"}:
        raise UsageMistake(
            "--device, --no-browser, --consent, --limit and --expires are for sign-ins only",
            hint="Leave them out, or sign in with `--method oauth`.",
        )


def _ask_for_method(provider: AuthProvider) -> AuthMethod:
    """Show the methods and let the person choose. Without a terminal, the usage error lists them."""
    methods = provider.methods
    if not methods:
        raise UsageMistake(
            f"`{provider.name}` needs no credential",
            hint=f"Use it at once: `provider: {provider.name}` in an ensemble or a profile.",
        )
    if not person_is_here():
        named = "".join(f"\n  --method {method.name}: {described(method)}" for method in methods)
        raise UsageMistake(f"{nobody_to_ask()}: the auth method", hint=f"Choose one with `--method`:{named}")
    if len(methods) == 1:
        return methods[0]
    question = f"How to access `{provider.name}`:"
    return methods[select(question, [described(method) for method in methods])]


def _say(app: App, provider: AuthProvider, entry: Entry, tested: str) -> None:
    from llm_orc.app.access.credentials import open_credentials

    what = "API key" if isinstance(entry.credential, ApiKey) else "sign-in"
    protection = open_credentials(app).protection
    note(f"Added the {what} of `{entry.provider}` (account `{entry.account}`); {WHO_PAYS[entry.billing]}.")
    if tested:
        note(tested)
    if entry.spend_cap:
        note(f"Its spend cap: {entry.spend_cap}.")
    if protection is not None:
        note(f"It is stored {protection.words}.")
    note_used(app, entry.provider, unless=("api-key" if what == "API key" else "oauth", entry.account))
    if provider.spec.default_model:
        note(f"Try it: llm-orc auth test {entry.provider}")
    else:
        note(f"Its models: llm-orc models list {entry.provider}")
        note(f"Agents name one of them, or set `providers.{entry.provider}.default_model` in config.yaml.")
