"""`llm-orc library show`: one bundled ensemble, as it is written."""

from __future__ import annotations

import click

from llm_orc.cli.shell.arguments import TemplateName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.output.streams import write_data


@define_command()
@click.argument("name", type=TemplateName())
def command(*, name: str) -> None:
    """Print the YAML of one."""
    from llm_orc.app.projects.new_ensemble import template

    write_data(template(name).text)
