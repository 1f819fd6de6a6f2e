"""`llm-orc library list`: the ensembles that are bundled with the program."""

from __future__ import annotations

import sys

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table


@define_command()
@json_option
def command(*, as_json: bool) -> None:
    """List them."""
    from llm_orc.app.projects.new_ensemble import templates

    found = templates()
    if as_json:
        write_json([{"name": t.name, "agents": t.agents, "description": t.description} for t in found])
        return
    heading = [Column("NAME"), Column("AGENTS", is_number=True), Column("DESCRIPTION", shrinks=True)]
    write_data(table(heading, [(t.name, str(t.agents), t.description) for t in found], columns(sys.stdout)))
    note("Start your own from one: llm-orc new NAME --from TEMPLATE")
