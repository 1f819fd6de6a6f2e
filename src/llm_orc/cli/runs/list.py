"""`llm-orc runs list`: the recorded runs, the newest first."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from llm_orc.app.history.runs import list_runs
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.formats.figures import known_dollars, moment, seconds, until_words

if TYPE_CHECKING:
    from llm_orc.app.history.runs import RunSummary
    from llm_orc.jsontypes import JsonValue


@define_command()
@click.option("--ensemble", metavar="NAME", help="Only runs of this ensemble, e.g. `--ensemble panel`.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, metavar="N", help="At most N.")
@click.option("--all", "show_all", is_flag=True, help="All of them, whatever --limit says.")
@json_option
def command(ensemble: str | None, limit: int, show_all: bool, as_json: bool) -> None:
    """List runs, the newest first."""
    runs = list_runs(app_here(), limit=None if show_all else limit, ensemble=ensemble)
    if as_json:
        write_json([_summary_value(run) for run in runs])
    elif runs:
        write_data(_runs_table(runs))
    else:
        note("There are no runs yet. Start one with: llm-orc invoke ENSEMBLE, or: llm-orc demo")


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
            _status(run),
            f"{run.finished}/{run.agents}",
            moment(run.started_at),
            "" if run.duration_s is None else seconds(run.duration_s),
            known_dollars(run.cost_usd, run.known_cost_usd),
        )
        for run in runs
    ]
    return table(heading, rows, columns(sys.stdout))


def _status(run: RunSummary) -> str:
    waits = "" if run.waits_until is None else f", {until_words(run.waits_until, time.time())}"
    return run.status + waits + (" (sandbox)" if run.sandbox else "")


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
        "waits_until": None if run.waits_until is None else moment(run.waits_until),
    }
