"""`llm-orc runs prune`: delete old runs and batches for good."""

from __future__ import annotations

import click

from llm_orc.app.history.runs import prune_runs
from llm_orc.cli.batch.options import store_option
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, yes_option
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import agreed
from llm_orc.cli.shell.values.moments import BeginOfAge
from llm_orc.formats.figures import count, local_minute


@define_command()
@click.option(
    "--older-than",
    "before",
    type=BeginOfAge(),
    required=True,
    metavar="DAYS",
    help="Delete finished runs that started longer ago, e.g. `--older-than 30`; or `12h`, `2w`, a date.",
)
@yes_option
@store_option
def command(before: float, yes: bool, store: str | None) -> None:
    """Delete old runs and batches for good. Unfinished ones stay, because they can be resumed.

    A run that was stopped is unfinished, and so is a batch that was cancelled or has spent its budget.
    """
    app = app_here()
    named = store or app.settings.batch.store
    also = f", also in `{named}`" if named else ""
    if not agreed(f"Delete every finished run and batch begun before {local_minute(before)}{also}?", yes=yes):
        return
    note(f"Deleted {count(len(prune_runs(app, before)), 'run')}.")
    if named or app.paths.batches_database.exists():
        from llm_orc.app.batches.admin import prune_batches

        batches = prune_batches(app, store, before)
        note(f"Deleted {batches:,} {'batch' if batches == 1 else 'batches'}.")
