"""`llm-orc auth test`: ask a provider one minimal question."""

from __future__ import annotations

import click

from llm_orc.cli.auth.arguments import auth_command, provider_argument
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.formats.figures import seconds
from llm_orc.formats.json_values import access_value
from llm_orc.formats.printable import one_line


@auth_command()
@provider_argument
@click.option(
    "--model", metavar="MODEL", help="Ask this model, e.g. `--model gpt-5.5`.  [default: the provider's]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document: which model answered, over which access."
)
def command(*, provider: str, model: str | None, as_json: bool) -> None:
    """Ask a model of PROVIDER one minimal question, with the credential that a run would use.

    With a metered credential it costs a fraction of a cent.
    """
    from llm_orc.app.accounts.verify import try_access
    from llm_orc.cli.shell.access_lines import WHO_PAYS
    from llm_orc.net.event_loop import run_to_end

    proof = run_to_end(try_access(app_here(), provider, model))
    if as_json:
        write_json({"access": access_value(proof.access), "model": proof.model, "took_s": round(proof.took_s, 3)})
    note(one_line(f"{provider} {proof.model} answered after {seconds(proof.took_s)}."))
    note("  " + one_line(f"{WHO_PAYS[proof.access.billing]} · {proof.access.source}"))
