"""`llm-orc batch run`, `resume` and `retry-failed`: what carries a batch out."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from llm_orc.cli.batch.options import (
    batch_argument,
    limit_options,
    pairs,
    result_options,
    stopping_words,
    store_option,
)
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.options import CONTEXT, app_here
from llm_orc.cli.shell.output_files import output_place, refuse_to_replace
from llm_orc.cli.shell.streams import is_terminal, note
from llm_orc.cli.table import EXIT_CODES
from llm_orc.formats.figures import count

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.batches.carry_out import BatchOutcome, BatchWatch
    from llm_orc.app.batches.plan import Going, Submission
    from llm_orc.app.wiring import App
    from llm_orc.batches.batch import Batch
    from llm_orc.cli.batch.carry_out import Stopping
    from llm_orc.formats.batch import Columns

_Ready = TypeVar("_Ready", "Submission", "Going")


@click.command("run", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@click.option(
    "--inputs",
    required=True,
    metavar="PLACE",
    type=click.Path(allow_dash=True),
    help="A file of JSON objects, one a line (.jsonl), a table (.csv, .tsv), lines of text, a folder with a file"
    " for each input, or `-` for standard input.",
)
@click.option(
    "--inputs-format",
    "input_form",
    type=click.Choice(("jsonl", "csv", "tsv", "lines")),
    help="What the inputs are, where their name doesn't say so, as with `-`.  [default: by name and content]",
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
@limit_options
@click.option("--rehearse", is_flag=True, help="Ask no model: canned answers, for nothing.")
@click.option("--again", is_flag=True, help="Ask everything anew, though the same batch was run before.")
@result_options
@store_option
def run_command(
    *,
    ensemble_name: str,
    inputs: str,
    input_form: str | None,
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
    from dataclasses import replace

    from llm_orc.app.batches.carry_out import run_batch
    from llm_orc.app.batches.input_lines import LARGEST_FILE
    from llm_orc.app.batches.inputs import Shaping, read_inputs
    from llm_orc.app.batches.plan import BatchOptions, plan_batch, prepare_batch
    from llm_orc.app.projects.find_ensemble import find_ensemble

    app = app_here()
    showing = Showing(form, output_place(output_file), ordered=ordered, quiet=quiet)
    ensemble = find_ensemble(app, ensemble_name, note)
    refuse_to_replace(showing.file, inputs, ensemble.source.path if ensemble.source else None)
    if inputs == "-" and is_terminal(sys.stdin):
        note("Reading inputs from the terminal, one a line; Ctrl-D ends them.")
    found = read_inputs(inputs, sys.stdin.buffer.read(LARGEST_FILE + 1) if inputs == "-" else None, input_form)
    options = BatchOptions(
        inputs=inputs if inputs == "-" else str(Path(inputs).absolute()),
        shaping=Shaping(template, mapping, limit, sample),
        store=store,
        allow_metered=allow_metered,
        rehearse=rehearse,
        again=again,
        rows_at_once=rows_at_once,
        max_cost_usd=max_cost_usd,
        max_calls=max_calls,
    )
    submission = prepare_batch(app, ensemble, found, options)
    if ensemble.conversation is not None:
        note("The ensemble's conversation is left out: rows know nothing of each other.")

    async def plan(agreed: bool, planned: Callable[[AccessPlan, int], None]) -> Submission:
        recipe = replace(submission.recipe, allow_metered=agreed)
        return await plan_batch(app, replace(submission, recipe=recipe), planned)

    async def work(ready: Submission, watch: BatchWatch, stopping: Stopping) -> BatchOutcome:
        return await run_batch(app, ready, watch, stopping.event)

    return carry_out(app, plan, work, showing, store, allow_metered=allow_metered)


class _GoOn(TypedDict):
    """What is asked of a batch that is kept."""

    batch: str
    max_cost_usd: float | None
    max_calls: int | None
    rows_at_once: int | None
    allow_metered: bool
    ordered: bool
    form: str
    output_file: str | None
    quiet: bool
    store: str | None


@click.command(
    "resume", context_settings=CONTEXT, epilog=EXIT_CODES, short_help="Go on with a batch that was left off."
)
@batch_argument
@limit_options
@result_options
@store_option
def resume_command(**asked: Unpack[_GoOn]) -> int:
    """Go on with a batch that was stopped or cancelled, or that has spent its budget.  [default: the last batch]

    It needs neither the inputs nor the ensemble's file: both are kept. Limits that aren't given stay as they were.
    """
    return _go_on(asked, failed=False)


@click.command(
    "retry-failed", context_settings=CONTEXT, epilog=EXIT_CODES, short_help="Ask again for the rows that failed."
)
@batch_argument
@limit_options
@result_options
@store_option
def retry_failed_command(**asked: Unpack[_GoOn]) -> int:
    """Ask again for the rows that failed; agents that have answered are not asked.  [default: the last batch]"""
    return _go_on(asked, failed=True)


def _go_on(asked: _GoOn, *, failed: bool) -> int:
    from dataclasses import replace

    from llm_orc.app.batches.carry_out import go_on
    from llm_orc.app.batches.plan import Wanted, plan_going

    app = app_here()
    wanted = Wanted(
        asked["batch"],
        asked["store"],
        allow_metered=asked["allow_metered"],
        failed=failed,
        rows_at_once=asked["rows_at_once"],
        max_cost_usd=asked["max_cost_usd"],
        max_calls=asked["max_calls"],
    )
    showing = Showing(
        asked["form"], output_place(asked["output_file"]), ordered=asked["ordered"], quiet=asked["quiet"]
    )
    refuse_to_replace_inputs(app, wanted.batch, wanted.store, showing.file)

    async def plan(agreed: bool, planned: Callable[[AccessPlan, int], None]) -> Going:
        return await plan_going(app, replace(wanted, allow_metered=agreed), planned)

    async def work(ready: Going, watch: BatchWatch, stopping: Stopping) -> BatchOutcome:
        return await go_on(app, ready, wanted, watch, stopping.event)

    return carry_out(app, plan, work, showing, wanted.store, allow_metered=wanted.allow_metered)


class Showing:
    """How a batch and its results are shown."""

    def __init__(self, form: str, file: Path | None, *, ordered: bool, quiet: bool) -> None:
        self.form, self.file, self.ordered, self.quiet = form, file, ordered, quiet


def carry_out(
    app: App,
    plan: Callable[[bool, Callable[[AccessPlan, int], None]], Coroutine[object, object, _Ready]],
    work: Callable[[_Ready, BatchWatch, Stopping], Coroutine[object, object, BatchOutcome]],
    showing: Showing,
    store: str | None,
    *,
    allow_metered: bool,
) -> int:
    """Plan, show who pays, have it agreed to where it must be, carry it out and say how it ended."""
    from llm_orc.app.batches.carry_out import BatchWatch
    from llm_orc.cli.batch.carry_out import ended, planned_with_consent, run_stoppable
    from llm_orc.cli.batch.output import RowStream, streams_rows
    from llm_orc.cli.batch.progress import BatchView

    ready = planned_with_consent(app, plan, allow_metered=allow_metered, quiet=showing.quiet)
    view = BatchView(quiet=showing.quiet)
    stream = None
    if showing.file is None and streams_rows():
        columns = partial(columns_of, app, store, ready.batch_id)
        stream = RowStream(columns, showing.form, in_order=showing.ordered)

    def began(batch: Batch) -> None:
        if not showing.quiet:
            note(_first_words(batch))

    async def carry(stopping: Stopping) -> BatchOutcome:
        watch = BatchWatch(began, view.show, stream.write if stream else None, note)
        return await work(ready, watch, stopping)

    try:
        outcome, code = run_stoppable(carry, stopping_words)
    finally:
        view.close()
    if showing.file is not None and outcome is not None:
        write_file(app, store, ready.batch_id, showing)
    return ended(outcome, code, ready.batch_id, store)


def _first_words(batch: Batch) -> str:
    done = batch.total - batch.waiting - batch.unusable
    before = f", {done:,} of them done before" if done else ""
    return f"Batch {batch.batch_id}: {batch.ensemble} over {count(batch.total, 'row')}{before}"


def refuse_to_replace_inputs(app: App, batch: str, store: str | None, file: Path | None) -> None:
    """Raise `UsageError` where results would go over what a batch was read from. Raises `BatchNotFound`."""
    from llm_orc.app.batches.admin import find_batch

    if file is not None:
        refuse_to_replace(file, find_batch(app, batch, store).batch.inputs)


def columns_of(app: App, store: str | None, batch_id: str) -> Columns:
    from llm_orc.app.batches.admin import open_batches

    with open_batches(app, store) as batches:
        assert batches is not None
        return batches.columns(batch_id)


def write_file(app: App, store: str | None, batch_id: str, showing: Showing) -> None:
    from llm_orc.app.batches.admin import open_batches
    from llm_orc.cli.batch.output import row_texts
    from llm_orc.storage.atomic import write_where_named

    assert showing.file is not None
    with open_batches(app, store) as batches:
        assert batches is not None
        rows = batches.rows_in_order(batch_id) if showing.ordered else batches.rows(batch_id)
        texts = row_texts(rows, partial(batches.columns, batch_id), showing.form)
        write_where_named(showing.file, (text.encode("utf-8", "backslashreplace") for text in texts))
    note(f"Written to {showing.file}")
