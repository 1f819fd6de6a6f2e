"""`llm-orc batch`: run an ensemble over many inputs, and look at such batches."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

from llm_orc.cli.batch.options import batch_argument, row_format_option, store_option
from llm_orc.cli.batch.run import (
    Showing,
    refuse_to_replace_inputs,
    resume_command,
    retry_failed_command,
    run_command,
    write_file,
)
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.options import CONTEXT, app_here, json_option, output_option, write_json
from llm_orc.cli.shell.output_files import output_place
from llm_orc.cli.shell.prompts import agreed
from llm_orc.cli.shell.streams import columns, note, write_data
from llm_orc.cli.shell.tables import Column, table
from llm_orc.cli.table import EXIT_CODES
from llm_orc.formats.figures import count, dollars, moment
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from llm_orc.app.batches.admin import BatchAdmin, BatchStatus
    from llm_orc.batches.batch import Batch
    from llm_orc.jsontypes import JsonValue

_T = TypeVar("_T")


class BatchGroup(click.Group):
    """`llm-orc batch ENSEMBLE` is `llm-orc batch run ENSEMBLE`; an ensemble called `list` is run as `run list`."""

    default = "run"

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        ensemble = run_command.params[0]
        return [
            *super().shell_complete(ctx, incomplete),
            *EnsembleName().shell_complete(ctx, ensemble, incomplete),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            if not ctx.resilient_parsing and not _has_inputs_or_help(ctx, args):
                self._refuse_misspelt(ctx, args[0])
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def _refuse_misspelt(self, ctx: click.Context, name: str) -> None:
        """Without inputs it is no ensemble to run: say which command it resembles, if any."""
        if near := closest_names(name, self.commands):
            ctx.fail(f"There is no command `batch {name}`. Did you mean `{near[0]}`? An ensemble needs --inputs.")


def _has_inputs_or_help(ctx: click.Context, args: list[str]) -> bool:
    return any(arg.startswith("--inputs") or arg in ctx.help_option_names for arg in args)


@click.group(
    cls=BatchGroup, context_settings=CONTEXT, epilog=EXIT_CODES, short_help="Run an ensemble over many inputs."
)
def command() -> None:
    """Run an ensemble over many inputs, and look at such batches.

    \b
    llm-orc batch ENSEMBLE --inputs FILE       the same as `batch run`
    llm-orc batch resume last                  goes on with one that was stopped
    llm-orc batch results last > out.jsonl

    BATCH is a batch's id, the beginning of one, or `last`.
    """


command.add_command(run_command)
command.add_command(resume_command)


@command.command("list", context_settings=CONTEXT)
@json_option
@store_option
def list_command(*, as_json: bool, store: str | None) -> None:
    """List batches, the newest first."""
    from llm_orc.app.batches.admin import open_batches

    with open_batches(app_here(), store) as batches:
        found = batches.batches.batches() if batches else []
    if as_json:
        write_json([_batch_value(batch) for batch in found])
    elif found:
        write_data(_batches_table(found))
    else:
        note("There are no batches yet. Start one with: llm-orc batch ENSEMBLE --inputs FILE")


@command.command("status", context_settings=CONTEXT)
@batch_argument
@json_option
@store_option
def status_command(*, batch: str, as_json: bool, store: str | None) -> None:
    """Show how far a batch is, what failed and what it has cost.  [default: the last batch]"""
    from llm_orc.formats.batch import spend_values

    status: BatchStatus = _with(store, batch, lambda batches, batch_id: batches.status(batch_id))
    if as_json:
        value = _batch_value(status.batch)
        assert isinstance(value, dict)
        write_json({**value, "in_flight": status.in_flight, "by_billing": spend_values(status.spend)})
    else:
        write_data("\n".join(_status_lines(status)) + "\n")


@command.command(
    "results", context_settings=CONTEXT, short_help="Write the rows that have ended, with their answers."
)
@batch_argument
@click.option("--ordered", is_flag=True, help="In the order of the input, not in that in which rows ended.")
@row_format_option
@output_option
@store_option
def results_command(*, batch: str, ordered: bool, form: str, output_file: str | None, store: str | None) -> None:
    """Write the rows that have ended, with their answers, at any time.  [default: the last batch]"""
    file = output_place(output_file)
    if file is not None:
        app = app_here()
        refuse_to_replace_inputs(app, batch, store, file)
        batch_id = _with(store, batch, lambda _batches, batch_id: batch_id)
        write_file(app, store, batch_id, Showing(form, file, ordered=ordered, quiet=False))
        return

    def write(batches: BatchAdmin, batch_id: str) -> None:
        from llm_orc.cli.batch.output import row_texts

        rows = batches.rows_in_order(batch_id) if ordered else batches.rows(batch_id)
        for text in row_texts(rows, partial(batches.columns, batch_id), form):
            write_data(text, is_printable=True)

    _with(store, batch, write)


@command.command("cancel", context_settings=CONTEXT)
@batch_argument
@store_option
def cancel_command(*, batch: str, store: str | None) -> None:
    """Stop a batch wherever it is worked on. The same `batch run` goes on with it.  [default: the last batch]"""
    app = app_here()

    def cancel(batches: BatchAdmin, batch_id: str) -> tuple[str, int]:
        return batch_id, batches.cancel(batch_id, app.clock.now())

    batch_id, stopped = _with(store, batch, cancel)
    note(
        f"Cancelled batch {batch_id}: {stopped:,} rows were not done."
        if stopped
        else f"Batch {batch_id} was over."
    )


command.add_command(retry_failed_command)


@command.command("delete", context_settings=CONTEXT)
@batch_argument
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@store_option
def delete_command(*, batch: str, yes: bool, store: str | None) -> None:
    """Delete a batch and its answers for good.  [default: the last one]"""
    status: BatchStatus = _with(store, batch, lambda batches, batch_id: batches.status(batch_id))
    found = status.batch
    if not agreed(f"Delete batch {found.batch_id} ({found.ensemble}, {found.total:,} rows)?", yes=yes):
        return
    _with(store, found.batch_id, lambda batches, batch_id: batches.delete(batch_id))
    note(f"Deleted batch {found.batch_id}.")


def _with(store: str | None, batch: str, use: Callable[[BatchAdmin, str], _T]) -> _T:
    """Use the store with the batch that `batch` names. Raises `BatchNotFound`."""
    from llm_orc.app.batches.admin import open_batches
    from llm_orc.errors import BatchNotFound

    with open_batches(app_here(), store) as batches:
        if batches is None:
            raise BatchNotFound("there is no batch yet", hint="llm-orc batch ENSEMBLE --inputs FILE")
        return use(batches, batches.batches.find(batch))


def _batches_table(found: list[Batch]) -> str:
    heading = [
        Column("BATCH"),
        Column("ENSEMBLE", shrinks=True),
        Column("STATE"),
        Column("ROWS", is_number=True),
        Column("FAILED", is_number=True),
        Column("STARTED", shrinks=True),
        Column("INPUTS", shrinks=True),
    ]
    rows = [
        (
            batch.batch_id,
            batch.ensemble,
            _state(batch),
            f"{batch.total - batch.waiting}/{batch.total}",
            str(batch.counts.get("failed", 0) + batch.counts.get("completed_with_errors", 0)),
            moment(batch.created_at),
            batch.inputs,
        )
        for batch in found
    ]
    return table(heading, rows, columns(sys.stdout))


def _state(batch: Batch) -> str:
    return f"{batch.state}, rehearsal" if batch.is_rehearsal else batch.state


def _status_lines(status: BatchStatus) -> list[str]:
    from llm_orc.formats.batch import spend_words

    batch = status.batch
    lines = [
        f"batch      {batch.batch_id} ({_state(batch)})",
        f"ensemble   {batch.ensemble}",
        f"inputs     {batch.inputs}",
        f"started    {moment(batch.created_at)}",
        f"rows       {batch.total:,}: {', '.join(f'{n:,} {state}' for state, n in sorted(batch.counts.items()))}",
        f"in flight  {status.in_flight:,}",
        f"spent      {spend_words(status.spend) or 'nothing yet'}",
    ]
    limits = batch.limits
    if limits.max_cost_usd is not None:
        lines.append(f"max cost   {dollars(limits.max_cost_usd)}, of which {dollars(batch.spent_usd)} are spent")
    if limits.max_calls is not None:
        lines.append(f"max calls  {limits.max_calls:,}, of which {batch.calls:,} are made")
    if limits.row_max_cost_usd is not None:
        lines.append(f"each row   {dollars(limits.row_max_cost_usd)} at most")
    if limits.row_max_calls is not None:
        lines.append(f"each row   {count(limits.row_max_calls, 'call')} at most")
    return lines


def _batch_value(batch: Batch) -> JsonValue:
    return {
        "batch_id": batch.batch_id,
        "ensemble": batch.ensemble,
        "inputs": batch.inputs,
        "state": batch.state,
        "rehearsal": batch.is_rehearsal,
        "started_at": moment(batch.created_at),
        "rows": batch.total,
        "counts": {str(state): number for state, number in batch.counts.items()},
        "max_cost_usd": batch.limits.max_cost_usd,
        "max_calls": batch.limits.max_calls,
        "row_max_cost_usd": batch.limits.row_max_cost_usd,
        "row_max_calls": batch.limits.row_max_calls,
        # Counted against the limits; what was really spent is in `by_billing`.
        "calls": None if batch.limits.max_calls is None else batch.calls,
        "spent_usd": None if batch.limits.max_cost_usd is None else batch.spent_usd,
    }
