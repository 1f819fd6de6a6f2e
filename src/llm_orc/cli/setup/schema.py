"""`llm-orc schema`: JSON Schemas, so that editors complete and check YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_orc.app.projects.json_schemas import schema_text
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.output_options import output_option
from llm_orc.storage.atomic import write_where_named

if TYPE_CHECKING:
    from llm_orc.app.projects.json_schemas import SchemaName


@define_command()
@click.argument("name", type=click.Choice(["ensemble", "config", "result"]), default="ensemble")
@output_option
def command(*, name: SchemaName, output_file: str | None) -> None:
    """Print the JSON Schema (draft 2020-12) of an ensemble's file, of config.yaml, or of a result as JSON.

    Editors with a YAML language server find it by the first line of a file:
    `# yaml-language-server: $schema=ensemble.schema.json`

    \b
    llm-orc schema ensemble --output .llm-orc/ensemble.schema.json
    """
    text = schema_text(name)
    if output_file is None:
        write_data(text)
        return
    write_where_named(Path(output_file).absolute(), text.encode())
    note(f"Written to {output_file}")
