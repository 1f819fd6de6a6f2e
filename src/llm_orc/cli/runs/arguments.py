"""Arguments that several `runs` commands share."""

from __future__ import annotations

import click

from llm_orc.cli.shell.arguments import RunName

run_argument = click.argument("run", default="last", type=RunName())
