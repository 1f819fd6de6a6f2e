"""`llm-orc batch list`: the batches, the newest first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from llm_orc.cli.batch.options import store_option
from llm_orc.cli.batch.values import batch_value, state_words
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.listings import conditions, for_terminal, note_none_found, write_table
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.output.tables import Column
from llm_orc.cli.shell.values.moments import since_option
from llm_orc.cli.shell.values.words import Words, chosen_of
from llm_orc.formats.figures import age, moment, seconds

if TYPE_CHECKING:
    from llm_orc.batches.batch import Batch

_STATUSES = ("open", "done", "cancelled", "spent", "waiting")  # waiting: rows wait for a plan or for people
_HEADING = (
    Column("BATCH"),
    Column("ENSEMBLE", shrinks=True),
    Column("STATE"),
    Column("ROWS", is_number=True, leaves=3),
    Column("FAILED", is_number=True, leaves=2),
    Column("STARTED"),
    Column("INPUTS", shrinks=True, leaves=1),
)


@define_command()
@click.option(
    "--ensemble",
    metavar="NAME",
    type=EnsembleName(),
    help="Only batches of this ensemble, e.g. `--ensemble panel`.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=Words(_STATUSES),
    metavar="STATUS",
    help=f"Only batches in this state: {', '.join(_STATUSES)} (for a plan or an answer); may be repeated.",
)
@since_option
@json_option
@store_option
def command(
    *,
    ensemble: str | None,
    statuses: tuple[tuple[str, ...], ...],
    since: float | None,
    as_json: bool,
    store: str | None,
) -> None:
    """List batches, the newest first."""
    from llm_orc.app.batches.admin import open_batches

    wanted = chosen_of(statuses)
    with open_batches(app_here(), store) as batches:
        kept = batches.batches.batches() if batches else []
    found = [
        batch
        for batch in kept
        if (ensemble is None or batch.ensemble == ensemble)
        and (since is None or batch.created_at >= since)
        and (not wanted or batch.state in wanted or ("waiting" in wanted and _is_waiting(batch)))
    ]
    if as_json:
        write_json([batch_value(batch) for batch in found])
    elif found:
        _write(found)
    elif kept:
        filters = conditions(ensemble, wanted, since)
        note_none_found("batch", filters, len(kept), "llm-orc batch list")
    else:
        note("There are no batches yet. Start one with: llm-orc batch ENSEMBLE --inputs FILE")


def _is_waiting(batch: Batch) -> bool:
    return batch.waits_for_plan is not None or batch.asking > 0


def _waits(batch: Batch, now: float) -> str:
    waits = batch.waits_for_plan
    asks = f", {batch.asking:,} for an answer" if batch.asking and batch.state == "open" else ""
    return asks if waits is None else f", waits {seconds(waits.until - now)}{asks}"


def _write(found: list[Batch]) -> None:
    is_read, now = for_terminal(), time.time()
    rows = [
        (
            batch.batch_id,
            batch.ensemble,
            state_words(batch) + (_waits(batch, now) if is_read else ""),
            f"{batch.total - batch.waiting}/{batch.total}",
            str(batch.counts.get("failed", 0) + batch.counts.get("completed_with_errors", 0)),
            age(batch.created_at, now) if is_read else moment(batch.created_at),
            batch.inputs,
        )
        for batch in found
    ]
    write_table(_HEADING, rows)
