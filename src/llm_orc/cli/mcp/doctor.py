"""`llm-orc mcp doctor`: whether each server works."""

from __future__ import annotations

import click

from llm_orc.cli.mcp.words import note_withheld, say_none
from llm_orc.cli.shell.arguments import McpServerName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.formats.json_values import error_value


@define_command()
@click.argument("servers", nargs=-1, type=McpServerName())
@json_option
def command(*, servers: tuple[str, ...], as_json: bool) -> int:
    """Start all configured servers, or SERVERS, agree on a version, list the tools, and end them again.

    Exit code 0 if all work; else that of the first error.
    """
    from llm_orc.app.tools.offers import server_offers
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    offers = run_to_end(server_offers(app, servers))
    if as_json:
        write_json(
            [
                {
                    "server": offer.name,
                    "works": offer.error is None,
                    "protocol": None if offer.info is None else offer.info.version,
                    "name": None if offer.info is None else offer.info.name or None,
                    "release": None if offer.info is None else offer.info.release or None,
                    "tools": len(offer.tools),
                    "left_out": [*offer.left_out],
                    "seconds": round(offer.seconds, 3),
                    "error": None if offer.error is None else error_value(offer.error),
                }
                for offer in offers
            ]
        )
    elif not offers:
        say_none()
    for offer in offers if not as_json else ():
        if offer.error is not None:
            write_error(offer.error)
        elif offer.info is not None:
            named = f" ({offer.info.name} {offer.info.release})".replace(" )", ")") if offer.info.name else ""
            tools = f"{len(offer.tools)} tool{'s' * (len(offer.tools) != 1)}"
            line = f"{offer.name}{named}: {tools}, protocol {offer.info.version}, {offer.seconds:.1f} s"
            write_data("\n".join([line, *(f"  left out {reason}" for reason in offer.left_out)]) + "\n")
    note_withheld(app)
    failed = [offer.error for offer in offers if offer.error is not None]
    return failed[0].exit_code if failed else 0
