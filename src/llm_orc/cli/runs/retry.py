"""`llm-orc runs retry`: a new run that asks again the agents without an answer."""

from __future__ import annotations

from typing import Unpack

import click

from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.runs.start_again import start_again
from llm_orc.cli.shell.arguments import RunName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.model_options import model_options, named_models
from llm_orc.cli.shell.options import (
    RunningOptions,
    running_options,
)


@define_command()
@click.argument("run", default="last", type=RunName())
@click.option("--everything", is_flag=True, help="Ask all agents again, even those that have answered.")
@model_options
@store_of_row_option
@running_options
def command(
    *,
    run: str,
    everything: bool,
    store: str | None,
    model: str | None,
    profile: str | None,
    agent_models: dict[str, str],
    **running: Unpack[RunningOptions],
) -> int:
    """Start a new run from RUN: answers are kept, and only agents without one are asked.  [default: the last run]

    The old run stays as it is; to continue it, use `resume`. RUN may be a row of a batch, `BATCH:ROW`.
    """
    models = named_models(model, profile, agent_models)
    return start_again(run, (), store, models, everything=everything, **running)
