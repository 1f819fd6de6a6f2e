"""`llm-orc auth test`: ask a provider one minimal question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.auth.arguments import auth_command, provider_argument
from llm_orc.cli.auth.input.pick import pick
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.errors import NotLoggedIn
from llm_orc.formats.figures import seconds
from llm_orc.formats.json_values import access_value
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@auth_command()
@provider_argument
@click.option(
    "--model", metavar="MODEL", help="Ask this model, e.g. `--model gpt-5.5`.  [default: the provider's]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document: which model answered, over which access."
)
def command(*, provider: str | None, model: str | None, as_json: bool) -> None:
    """Ask a model of PROVIDER one minimal question, with the credential that a run would use.

    With a metered credential it costs a fraction of a cent.
    """
    from llm_orc.app.accounts.verify import try_access
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    if provider is None:
        provider = _picked(app)
    proof = run_to_end(try_access(app, provider, model))
    if as_json:
        write_json({"access": access_value(proof.access), "model": proof.model, "took_s": round(proof.took_s, 3)})
    note(one_line(f"{provider} {proof.model} answered after {seconds(proof.took_s)}."))
    note("  " + one_line(f"{WHO_PAYS[proof.access.billing]} · {proof.access.source}"))


def _picked(app: App) -> str:
    """Let the person choose a provider to which there is access."""
    from llm_orc.app.accounts.official_cli import look_at_clis
    from llm_orc.app.accounts.status import auth_status
    from llm_orc.net.event_loop import run_to_end

    used = auth_status(app, None, run_to_end(look_at_clis(app))).used()
    options = [(one.provider, f"{one.provider} · {one.source} · {WHO_PAYS[one.billing]}") for one in used]
    if not options:
        raise NotLoggedIn("there is no access to test yet", hint="llm-orc auth add")
    return pick("Which one do you want to test?", "PROVIDER", options)
