"""`llm-orc version`: which release this is, and for programs how it was installed."""

from __future__ import annotations

import platform

import click

from llm_orc._version import VERSION
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import write_json
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.cli.shell.program import PROGRAM


@define_command()
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document, with Python and the system.")
def command(*, as_json: bool) -> None:
    """Print the version."""
    if as_json:
        write_json({"version": VERSION, "python": platform.python_version(), "system": platform.platform()})
    else:
        write_data(f"{PROGRAM} {VERSION}\n")
