"""`llm-orc runs delete`: delete runs and their answers for good."""

from __future__ import annotations

import click

from llm_orc.app.history.runs import delete_runs, get_run
from llm_orc.cli.shell.arguments import RunName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, yes_option
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import agreed
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.figures import count


@define_command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=RunName())
@yes_option
def command(runs: tuple[str, ...], yes: bool) -> None:
    """Delete runs and their answers for good."""
    app = app_here()
    for run in runs:
        if ":" in run:
            raise UsageMistake(
                f"`{run}` is a row, and rows are deleted with their batch",
                hint=f"llm-orc batch delete {run.partition(':')[0]}",
            )
    found = [get_run(app, run).summary for run in runs]
    if not agreed(f"Delete {', '.join(f'{run.run_id} ({run.ensemble})' for run in found)}?", yes=yes):
        return
    deleted = delete_runs(app, [run.run_id for run in found])
    note(f"Deleted {count(len(deleted), 'run')}.")
