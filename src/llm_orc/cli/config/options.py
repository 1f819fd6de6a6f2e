"""Arguments that several `config` commands share."""

from __future__ import annotations

import click

from llm_orc.cli.shell.arguments import SettingName

key_argument = click.argument("key", metavar="KEY", type=SettingName())
project_option = click.option(
    "--project",
    "in_project",
    is_flag=True,
    help="In the config.yaml of the project that you are in. Most keys of a project need trust.",
)
