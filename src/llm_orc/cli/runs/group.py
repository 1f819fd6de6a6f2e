"""`llm-orc runs`: list, show, export and delete the runs that were recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_orc.cli.batch.options import store_of_row_option, store_option
from llm_orc.cli.runs.again import COMMANDS
from llm_orc.cli.shell.arguments import RunName
from llm_orc.cli.shell.options import CONTEXT, DAYS, app_here, json_option, output_option, write_json
from llm_orc.cli.shell.prompts import agreed
from llm_orc.cli.shell.streams import columns, note, write_data
from llm_orc.cli.shell.tables import Column, table
from llm_orc.cli.table import EXIT_CODES
from llm_orc.formats.figures import count, known_dollars, moment, seconds
from llm_orc.formats.table import FORMAT_NAMES, load_format

if TYPE_CHECKING:
    from llm_orc.app.history.runs import RunRecord, RunSummary
    from llm_orc.jsontypes import JsonValue

_run_argument = click.argument("run", default="last", type=RunName())
_yes = click.option("-y", "--yes", is_flag=True, help="Don't ask.")


@click.group(
    context_settings=CONTEXT, epilog=EXIT_CODES, short_help="List, show, compare, fork and delete earlier runs."
)
def command() -> None:
    """List, show, compare, fork and delete earlier runs.

    RUN is a run's id, the beginning of one, or `last`; or a row of a batch, `BATCH:ROW`.
    """


@command.command("list", context_settings=CONTEXT)
@click.option("--ensemble", metavar="NAME", help="Only runs of this ensemble, e.g. `--ensemble panel`.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, metavar="N", help="At most N.")
@click.option("--all", "show_all", is_flag=True, help="All of them, whatever --limit says.")
@json_option
def list_command(ensemble: str | None, limit: int, show_all: bool, as_json: bool) -> None:
    """List runs, the newest first."""
    from llm_orc.app.history.runs import list_runs

    runs = list_runs(app_here(), limit=None if show_all else limit, ensemble=ensemble)
    if as_json:
        write_json([_summary_value(run) for run in runs])
    elif runs:
        write_data(_runs_table(runs))
    else:
        note("There are no runs yet. Start one with: llm-orc invoke ENSEMBLE, or: llm-orc demo")


@command.command("show", context_settings=CONTEXT)
@_run_argument
@click.option(
    "--output-format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    default="text",
    show_default=True,
    help="How to write it.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as `--output-format json`.")
@store_of_row_option
def show_command(run: str, format_name: str, as_json: bool, store: str | None) -> None:
    """Show a run again: its answers, what they took and how it ended.  [default: the last run]"""
    from llm_orc.app.history.runs import get_run

    record = get_run(app_here(), run, store)
    write_data(_written(record, "json" if as_json else format_name))
    if record.summary.status == "interrupted":
        note(f"This run was interrupted. Go on with: llm-orc resume {record.summary.run_id}")


@command.command("export", context_settings=CONTEXT)
@_run_argument
@click.option(
    "--output-format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    default="json",
    show_default=True,
    help="`jsonl` is every recorded event.",
)
@output_option
@store_of_row_option
def export_command(run: str, format_name: str, output_file: str | None, store: str | None) -> None:
    """Write a run to a file or to standard output.  [default: the last run]"""
    from llm_orc.app.history.runs import get_run
    from llm_orc.storage.atomic import write_where_named

    text = _written(get_run(app_here(), run, store), format_name)
    if output_file is None:
        write_data(text)
    else:
        write_where_named(Path(output_file).absolute(), text.encode("utf-8", "backslashreplace"))
        note(f"Written to {output_file}")


@command.command("delete", context_settings=CONTEXT)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=RunName())
@_yes
def delete_command(runs: tuple[str, ...], yes: bool) -> None:
    """Delete runs and their answers for good."""
    from llm_orc.app.history.runs import delete_runs, get_run

    app = app_here()
    for run in runs:
        if ":" in run:
            raise click.UsageError(f"`{run}` is a row: rows are deleted with their batch, `llm-orc batch delete`.")
    found = [get_run(app, run).summary for run in runs]
    if not agreed(f"Delete {', '.join(f'{run.run_id} ({run.ensemble})' for run in found)}?", yes=yes):
        return
    deleted = delete_runs(app, [run.run_id for run in found])
    note(f"Deleted {count(len(deleted), 'run')}.")


@command.command("prune", context_settings=CONTEXT)
@click.option(
    "--older-than",
    "days",
    type=DAYS,
    required=True,
    metavar="DAYS",
    help="Delete runs that ended and started longer ago, e.g. `--older-than 30`.",
)
@_yes
@store_option
def prune_command(days: float, yes: bool, store: str | None) -> None:
    """Delete old runs and batches for good. Unfinished ones stay, as one can go on with them.

    A run that was stopped is unfinished, and so is a batch that was cancelled or has spent its budget.
    """
    from llm_orc.app.history.runs import prune_runs

    app = app_here()
    named = store or app.settings.batch.store
    also = f", also in `{named}`" if named else ""
    before = moment(app.clock.now() - days * 86_400)
    what = f"every finished run and batch older than {count(round(days), 'day')}, begun before {before}"
    if not agreed(f"Delete {what}{also}?", yes=yes):
        return
    note(f"Deleted {count(len(prune_runs(app, older_than_days=days)), 'run')}.")
    if named or app.paths.batches_database.exists():
        from llm_orc.app.batches.admin import prune_batches

        batches = prune_batches(app, store, older_than_days=days)
        note(f"Deleted {batches:,} {'batch' if batches == 1 else 'batches'}.")


for again in COMMANDS:
    command.add_command(again)


def _written(record: RunRecord, format_name: str) -> str:
    from llm_orc.formats.format import EventFormat

    form = load_format(format_name)
    if isinstance(form, EventFormat):
        return "".join(form.event(event) + "\n" for event in record.events)
    return form.result(record.result)


def _runs_table(runs: tuple[RunSummary, ...]) -> str:
    heading = [
        Column("RUN"),
        Column("ENSEMBLE", shrinks=True),
        Column("STATUS", shrinks=True),
        Column("AGENTS", is_number=True),
        Column("STARTED", shrinks=True),
        Column("TIME", is_number=True),
        Column("COST", is_number=True),
    ]
    rows = [
        (
            run.run_id,
            run.ensemble,
            run.status + (" (sandbox)" if run.sandbox else ""),
            f"{run.finished}/{run.agents}",
            moment(run.started_at),
            "" if run.duration_s is None else seconds(run.duration_s),
            known_dollars(run.cost_usd, run.known_cost_usd),
        )
        for run in runs
    ]
    return table(heading, rows, columns(sys.stdout))


def _summary_value(run: RunSummary) -> JsonValue:
    return {
        "run_id": run.run_id,
        "ensemble": run.ensemble,
        "status": run.status,
        "started_at": moment(run.started_at),
        "duration_s": run.duration_s,
        "agents": run.agents,
        "finished": run.finished,
        "cost_usd": run.cost_usd,
        "known_cost_usd": run.known_cost_usd,
        "unknown_costs": run.unknown_costs,
        "sandbox": run.sandbox,
    }
