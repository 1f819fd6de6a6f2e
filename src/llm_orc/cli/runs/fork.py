"""`llm-orc runs fork`: a new run that asks some agents, and all that depend on them, again."""

from __future__ import annotations

from typing import Unpack

import click

from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.runs.start_again import start_again
from llm_orc.cli.shell.arguments import AgentOfRun, RunName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.model_options import model_options, named_models
from llm_orc.cli.shell.options import (
    RunningOptions,
    running_options,
)


@define_command()
@click.argument("run", default="last", type=RunName())
@click.option(
    "--from",
    "asked",
    multiple=True,
    required=True,
    metavar="AGENT",
    type=AgentOfRun(),
    help="Ask this agent again, and all that depend on it; may be repeated.",
)
@model_options
@store_of_row_option
@running_options
def command(
    *,
    run: str,
    asked: tuple[str, ...],
    store: str | None,
    model: str | None,
    profile: str | None,
    agent_models: dict[str, str],
    **running: Unpack[RunningOptions],
) -> int:
    """Start a new run from RUN at AGENT: earlier answers are kept and not paid for.  [default: the last run]

    RUN may be a row of a batch, `BATCH:ROW`.

    \b
    llm-orc runs fork last --from chair
    llm-orc runs fork last --from chair -m ollama
    """
    models = named_models(model, profile, agent_models)
    return start_again(run, asked, store, models, everything=False, **running)
