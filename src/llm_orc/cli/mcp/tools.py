"""`llm-orc mcp tools`: what the servers offer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_orc.cli.mcp.words import note_withheld, say_none
from llm_orc.cli.shell.arguments import McpServerName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.formats.json_values import error_value

if TYPE_CHECKING:
    from llm_orc.app.tools.offers import ServerOffer
    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.tools import McpTool

_HEADING = (Column("TOOL"), Column("HINTS", leaves=1), Column("DESCRIPTION", shrinks=True))


@define_command()
@click.argument("servers", nargs=-1, type=McpServerName())
@json_option
def command(*, servers: tuple[str, ...], as_json: bool) -> int:
    """Start all configured servers, or SERVERS, and list their tools by the names that agents use.

    HINTS are the server's own word: `reads` (changes nothing), `destroys`, `idempotent`. `--json` has the schemas.
    """
    from llm_orc.app.tools.offers import server_offers
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    offers = run_to_end(server_offers(app, servers))
    if as_json:
        write_json([_value(offer) for offer in offers])
    elif not offers:
        say_none()
    else:
        rows = [(f"mcp.{o.name}.{t.name}", _hints(t), t.description) for o in offers for t in o.tools]
        if rows:
            write_data(table(_HEADING, rows, columns(sys.stdout)))
        for offer in offers:
            for reason in offer.left_out:
                note(f"{offer.name}: left out {reason}")
    note_withheld(app)
    failed = [offer.error for offer in offers if offer.error is not None]
    for error in failed if not as_json else ():
        write_error(error)
    return failed[0].exit_code if failed else 0


def _hints(tool: McpTool) -> str:
    said = (("reads", tool.only_reads), ("destroys", tool.destroys), ("idempotent", tool.is_idempotent))
    return " ".join(word for word, holds in said if holds)


def _value(offer: ServerOffer) -> JsonValue:
    return {
        "server": offer.name,
        "protocol": None if offer.info is None else offer.info.version,
        "tools": [
            {
                "name": tool.name,
                "title": tool.title or None,
                "description": tool.description,
                "input_schema": tool.input_schema,
                "output_schema": tool.output_schema,
                "only_reads": tool.only_reads,
                "destroys": tool.destroys,
                "is_idempotent": tool.is_idempotent,
            }
            for tool in offer.tools
        ],
        "left_out": [*offer.left_out],
        "error": None if offer.error is None else error_value(offer.error),
    }
