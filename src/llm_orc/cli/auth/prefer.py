"""`llm-orc auth prefer`: which auth methods a provider's calls may use, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.auth.arguments import auth_command, provider_argument
from llm_orc.cli.auth.input.access_menu import described
from llm_orc.cli.auth.input.pick import pick
from llm_orc.cli.auth.notes import note_used
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.arguments import MethodName
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import select

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.settings.model import AuthMethodName


@auth_command()
@provider_argument
@click.argument("methods", metavar="METHOD...", nargs=-1, type=MethodName())
@click.option("--acknowledge-terms", is_flag=True, help="Agree to the provider's terms for these auth methods.")
@click.option("--project", is_flag=True, help="Write it into this project's settings.  [default: your own]")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document: what was written, and where.")
def command(
    *,
    provider: str | None,
    methods: tuple[AuthMethodName, ...],
    acknowledge_terms: bool,
    project: bool,
    as_json: bool,
) -> None:
    """Let PROVIDER's calls use only these auth methods: the first METHOD that works, the next if it fails.

    METHOD is `api-key`, `oauth` or the name of an official CLI, e.g. `claude-cli`. In the place of a plan, a way
    that is billed per token is taken only where you name it: naming it here is your yes to that bill. It is kept
    in config.yaml; the rest of the file stays as it is.

    \b
    llm-orc auth prefer anthropic-claude-pro-max claude-cli oauth --acknowledge-terms
    llm-orc auth prefer anthropic-claude-pro-max claude-cli api-key
    """
    from llm_orc.app.accounts.auth_methods import open_provider
    from llm_orc.app.accounts.prefer import prefer

    app = app_here()
    if provider is None or not methods:
        provider, methods = _picked(app, provider)
    done = prefer(app, open_provider(app, provider), methods, acknowledge_terms=acknowledge_terms, project=project)
    if as_json:
        write_json(
            {
                "provider": provider,
                "methods": [{"method": method.name, "billing": str(method.billing)} for method in done.methods],
                "file": str(done.file),
            }
        )
    note(f"Calls of `{provider}` use, in this order:")
    for number, method in enumerate(done.methods, start=1):
        note(f"  {number}. {method.name} · {WHO_PAYS[method.billing]}")
    note(f"Written to {done.file}.")
    if done.needs_trust:
        note("It takes effect once this project is trusted: llm-orc trust")
    else:
        note_used(app_here(), provider, unless=(methods[0], None))


def _picked(app: App, provider: str | None) -> tuple[str, tuple[AuthMethodName, ...]]:
    """Let the person choose a provider with several auth methods, and the order of those to be used."""
    from llm_orc.app.accounts.auth_methods import open_provider
    from llm_orc.app.accounts.choices import with_several_methods

    if provider is None:
        several = with_several_methods(app)
        options = [(one.name, f"{one.spec.title} ({one.name})") for one in several]
        provider = pick("Of which provider?", "PROVIDER", options)
    left = {method.name: described(method) for method in open_provider(app, provider).methods}
    methods = [pick("Which auth method comes first?", "METHOD...", list(left.items()))]
    while left := {name: words for name, words in left.items() if name not in methods}:
        number = select("And if that fails?", ["Nothing: the call fails", *left.values()])
        if number == 0:
            break
        methods.append(list(left)[number - 1])
    return provider, tuple(methods)
