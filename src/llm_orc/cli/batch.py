"""`llm-orc batch`: run an ensemble over many inputs, and look at such batches."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from llm_orc.cli.batch_options import pairs, row_format_option, store_option
from llm_orc.cli.names import BatchName, EnsembleName
from llm_orc.cli.options import CONTEXT, app_here, json_option, output_option, write_json
from llm_orc.cli.prompts import agreed
from llm_orc.cli.root import EXIT_CODES
from llm_orc.cli.streams import columns, note, write_data
from llm_orc.cli.tables import Column, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access import AccessPlan
    from llm_orc.app.batch import BatchOptions, BatchOutcome, Submission
    from llm_orc.app.batch_inputs import Input
    from llm_orc.app.batches import BatchStatus, BatchStore
    from llm_orc.app.wiring import App
    from llm_orc.durable.batch import Batch
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.jsontypes import JsonValue

_T = TypeVar("_T")


class BatchGroup(click.Group):
    """`llm-orc batch ENSEMBLE` is `llm-orc batch run ENSEMBLE`; an ensemble called `list` is run as `run list`."""

    default = "run"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


_batch_argument = click.argument("batch", default="last", metavar="[BATCH]", type=BatchName())


@click.group(
    cls=BatchGroup, context_settings=CONTEXT, epilog=EXIT_CODES, short_help="Run an ensemble over many inputs."
)
def command() -> None:
    """Run an ensemble over many inputs, and look at such batches.

    \b
    llm-orc batch ENSEMBLE --inputs FILE       the same as `batch run`
    llm-orc batch results last > out.jsonl

    BATCH is a batch's id, the beginning of one, or `last`.
    """


@command.command("run", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@click.option(
    "--inputs",
    required=True,
    metavar="PLACE",
    help="A file of JSON objects, one a line (.jsonl), a table (.csv, .tsv), lines of text, a folder with a file"
    " for each input, or `-` for standard input.",
)
@click.option(
    "-i",
    "--input",
    "template",
    metavar="TEXT",
    help='The task, with columns in it, e.g. `-i "Judge {{name}}: {{text}}"`.  [default: the ensemble\'s'
    " `default_task` where it has placeholders, else the column `input`]",
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    callback=pairs,
    metavar="COLUMN=PLACEHOLDER",
    help='Call a column otherwise, e.g. `--map "Company name=name"`.',
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N inputs, to try it.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only N inputs, drawn at random; always the same ones.",
)
@click.option(
    "--max-cost",
    "max_cost_usd",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="Make no metered call that might bring the batch above this.  [default: none]",
)
@click.option(
    "--max-calls",
    type=click.IntRange(min=0),
    metavar="N",
    help="Make at most N calls for the batch.  [default: none]",
)
@click.option(
    "--max-concurrent",
    "rows_at_once",
    type=click.IntRange(min=1),
    metavar="N",
    help="Work on at most N rows at once in each process.  [default: 32]",
)
@click.option("--allow-metered", is_flag=True, help="Agree to calls that are billed per token, for this batch.")
@click.option("--rehearse", is_flag=True, help="Ask no model: canned answers, for nothing.")
@click.option("--again", is_flag=True, help="Ask everything anew, though the same batch was run before.")
@click.option("--ordered", is_flag=True, help="Write results in the order of the input, not as they come.")
@row_format_option
@output_option
@click.option("-q", "--quiet", is_flag=True, help="Show nothing while it runs; errors are shown.")
@store_option
def run_command(
    *,
    ensemble_name: str,
    inputs: str,
    template: str | None,
    mapping: dict[str, str],
    limit: int | None,
    sample: int | None,
    max_cost_usd: float | None,
    max_calls: int | None,
    rows_at_once: int | None,
    allow_metered: bool,
    rehearse: bool,
    again: bool,
    ordered: bool,
    form: str,
    output_file: str | None,
    quiet: bool,
    store: str | None,
) -> int:
    """Run ENSEMBLE on each of many inputs.

    The same command again goes on where it was stopped, whatever stopped it: a batch is known by its ensemble and
    its inputs. Ctrl-C lets calls under way end; a second one doesn't. Results go to standard output as rows end,
    where that is no terminal, and `batch results` has them at any time.

    \b
    llm-orc batch review --inputs reports.jsonl > out.jsonl
    llm-orc batch screen --inputs firms.csv --map "Company name=name" --max-cost 5
    llm-orc batch review --inputs letters/ --limit 3 --rehearse
    """
    from llm_orc.app.batch import BatchOptions
    from llm_orc.app.batch_inputs import Shaping, read_inputs
    from llm_orc.app.find_ensemble import find_ensemble
    from llm_orc.cli.batch_carry import with_consent

    app = app_here()
    ensemble = find_ensemble(app, ensemble_name)
    found = read_inputs(inputs, sys.stdin.buffer.read() if inputs == "-" else None)
    file = _writable(output_file)

    def start(agreed_to_pay: bool) -> int:
        options = BatchOptions(
            inputs=inputs if inputs == "-" else str(Path(inputs).absolute()),
            shaping=Shaping(template, mapping, limit, sample),
            store=store,
            allow_metered=agreed_to_pay,
            rehearse=rehearse,
            again=again,
            rows_at_once=rows_at_once,
            max_cost_usd=max_cost_usd,
            max_calls=max_calls,
        )
        return _run(app, ensemble, found, options, _Showing(form, file, ordered=ordered, quiet=quiet))

    return with_consent(start, allow_metered=allow_metered)


class _Showing:
    """How a batch and its results are shown."""

    def __init__(self, form: str, file: Path | None, *, ordered: bool, quiet: bool) -> None:
        self.form, self.file, self.ordered, self.quiet = form, file, ordered, quiet


def _run(app: App, ensemble: Ensemble, found: list[Input], options: BatchOptions, showing: _Showing) -> int:
    from llm_orc.app.batch import BatchWatch, plan_batch, prepare_batch, run_batch
    from llm_orc.cli.access_lines import access_lines
    from llm_orc.cli.batch_carry import Stopping, ended, run_stoppable
    from llm_orc.cli.batch_output import RowStream, streams_rows
    from llm_orc.cli.batch_view import BatchView

    submission = prepare_batch(app, ensemble, found, options)
    if ensemble.conversation is not None:
        note("The ensemble's conversation is left out: rows know nothing of each other.")
    view = BatchView(quiet=showing.quiet)
    agents = tuple(submission.recipe.choices)
    stream = None
    if showing.file is None and streams_rows():
        stream = RowStream(agents, showing.form, in_order=showing.ordered)

    def planned(plan: AccessPlan) -> None:
        if not showing.quiet:
            for words in access_lines(plan):
                note(words)

    def began(batch: Batch) -> None:
        if not showing.quiet:
            note(_first_words(batch))

    async def work(stopping: Stopping) -> BatchOutcome:
        ready: Submission = await plan_batch(app, submission, planned)
        watch = BatchWatch(began, view.show, stream.write if stream else None, note)
        return await run_batch(app, ready, watch, stopping.event)

    try:
        outcome, code = run_stoppable(work, "Waiting for calls under way; Ctrl-C again stops at once.")
    finally:
        view.close()
    if showing.file is not None and outcome is not None:
        _write_file(app, options.store, submission.batch_id, showing)
    return ended(outcome, code, f"llm-orc {shlex.join(sys.argv[1:])}", submission.batch_id)


def _first_words(batch: Batch) -> str:
    done = batch.total - batch.waiting
    before = f", {done:,} of them done before" if done else ""
    return f"Batch {batch.batch_id}: {batch.ensemble} over {batch.total:,} rows{before}"


def _writable(output_file: str | None) -> Path | None:
    if output_file is None:
        return None
    path = Path(output_file).absolute()
    if not path.parent.is_dir():
        raise click.UsageError(f"There is no folder `{path.parent}` to write to.")
    return path


def _write_file(app: App, store: str | None, batch_id: str, showing: _Showing) -> None:
    from llm_orc.app.batches import open_batches
    from llm_orc.cli.batch_output import row_texts
    from llm_orc.storage.atomic import write_where_named

    assert showing.file is not None
    with open_batches(app, store) as batches:
        assert batches is not None
        rows = batches.rows_in_order(batch_id) if showing.ordered else batches.rows(batch_id)
        texts = row_texts(rows, batches.agents(batch_id), showing.form)
        write_where_named(showing.file, (text.encode("utf-8", "backslashreplace") for text in texts))
    note(f"Written to {showing.file}")


@command.command("list", context_settings=CONTEXT)
@json_option
@store_option
def list_command(*, as_json: bool, store: str | None) -> None:
    """List batches, the newest first."""
    from llm_orc.app.batches import open_batches

    with open_batches(app_here(), store) as batches:
        found = batches.batches.batches() if batches else []
    if as_json:
        write_json([_batch_value(batch) for batch in found])
    elif found:
        write_data(_batches_table(found))
    else:
        note("There are no batches yet. Start one with: llm-orc batch ENSEMBLE --inputs FILE")


@command.command("status", context_settings=CONTEXT)
@_batch_argument
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


@command.command("results", context_settings=CONTEXT)
@_batch_argument
@click.option("--ordered", is_flag=True, help="In the order of the input, not in that in which rows ended.")
@row_format_option
@output_option
@store_option
def results_command(*, batch: str, ordered: bool, form: str, output_file: str | None, store: str | None) -> None:
    """Write the rows that have ended, with their answers, at any time.  [default: the last batch]"""
    file = _writable(output_file)
    if file is not None:
        app = app_here()
        batch_id = _with(store, batch, lambda _batches, batch_id: batch_id)
        _write_file(app, store, batch_id, _Showing(form, file, ordered=ordered, quiet=False))
        return

    def write(batches: BatchStore, batch_id: str) -> None:
        from llm_orc.cli.batch_output import row_texts

        rows = batches.rows_in_order(batch_id) if ordered else batches.rows(batch_id)
        for text in row_texts(rows, batches.agents(batch_id), form):
            write_data(text)

    _with(store, batch, write)


@command.command("cancel", context_settings=CONTEXT)
@_batch_argument
@store_option
def cancel_command(*, batch: str, store: str | None) -> None:
    """Stop a batch wherever it is worked on. The same `batch run` goes on with it.  [default: the last batch]"""
    app = app_here()

    def cancel(batches: BatchStore, batch_id: str) -> tuple[str, int]:
        return batch_id, batches.cancel(batch_id, app.clock.now())

    batch_id, stopped = _with(store, batch, cancel)
    note(
        f"Cancelled batch {batch_id}: {stopped:,} rows were not done."
        if stopped
        else f"Batch {batch_id} was over."
    )


@command.command("retry-failed", context_settings=CONTEXT, epilog=EXIT_CODES)
@_batch_argument
@click.option("-q", "--quiet", is_flag=True, help="Show nothing while it runs; errors are shown.")
@store_option
def retry_failed_command(*, batch: str, quiet: bool, store: str | None) -> int:
    """Ask again for the rows that failed; agents that have answered are not asked.  [default: the last batch]"""
    from llm_orc.app.batch import BatchWatch, retry_failed
    from llm_orc.cli.batch_carry import Stopping, ended, run_stoppable
    from llm_orc.cli.batch_view import BatchView

    app = app_here()
    batch_id = _with(store, batch, lambda _batches, batch_id: batch_id)
    view = BatchView(quiet=quiet)

    async def work(stopping: Stopping) -> BatchOutcome:
        return await retry_failed(app, batch_id, store, BatchWatch(progress=view.show, note=note), stopping.event)

    try:
        outcome, code = run_stoppable(work, "Waiting for calls under way; Ctrl-C again stops at once.")
    finally:
        view.close()
    return ended(outcome, code, f"llm-orc batch retry-failed {batch_id}", batch_id)


@command.command("delete", context_settings=CONTEXT)
@_batch_argument
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


def _with(store: str | None, batch: str, use: Callable[[BatchStore, str], _T]) -> _T:
    """Use the store with the batch that `batch` names. Raises `BatchNotFound`."""
    from llm_orc.app.batches import open_batches
    from llm_orc.errors import BatchNotFound

    with open_batches(app_here(), store) as batches:
        if batches is None:
            raise BatchNotFound("there is no batch yet", hint="llm-orc batch ENSEMBLE --inputs FILE")
        return use(batches, batches.batches.find(batch))


def _batches_table(found: list[Batch]) -> str:
    from llm_orc.formats.figures import moment

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
            batch.state,
            f"{batch.total - batch.waiting}/{batch.total}",
            str(batch.counts.get("failed", 0) + batch.counts.get("completed_with_errors", 0)),
            moment(batch.created_at),
            batch.inputs,
        )
        for batch in found
    ]
    return table(heading, rows, columns(sys.stdout))


def _status_lines(status: BatchStatus) -> list[str]:
    from llm_orc.formats.batch import spend_words
    from llm_orc.formats.figures import count, dollars, moment

    batch = status.batch
    lines = [
        f"batch      {batch.batch_id} ({batch.state})",
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
    from llm_orc.formats.figures import moment

    return {
        "batch_id": batch.batch_id,
        "ensemble": batch.ensemble,
        "inputs": batch.inputs,
        "state": batch.state,
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
