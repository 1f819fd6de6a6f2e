"""`llm-orc new`: create an ensemble."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import TemplateName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import note

if TYPE_CHECKING:
    from llm_orc.app.projects.new_ensemble import Where


@define_command()
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="TEMPLATE",
    type=TemplateName(),
    help="Start from this one of `llm-orc library list`.",
)
@click.option("--project", "where", flag_value="project", help="Write it into this project.  [default]")
@click.option("--user", "where", flag_value="user", help="Write it into your own folder, for all projects.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def command(*, name: str, source: str | None, where: Where | None, force: bool, as_json: bool) -> None:
    """Write a YAML file for an ensemble called NAME, ready to be edited and run.

    \b
    llm-orc new panel
    llm-orc new my-review --from code-review
    """

    from llm_orc.app.projects.new_ensemble import new_ensemble

    file = new_ensemble(app_here(), name, source=source, where=where, force=force)
    if as_json:
        write_json({"name": name, "file": str(file), "from": source})
    note(f"Written: {file}")
    note(f"Next: llm-orc check {quote(name)}")
    note(f"      llm-orc invoke {quote(name)} --rehearse")
