"""`llm-orc batch run`: an ensemble on each of many inputs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_orc.app.batches.input_lines import LARGEST_FILE
from llm_orc.app.batches.inputs import Shaping, read_inputs
from llm_orc.cli.batch.execution.results import Showing
from llm_orc.cli.batch.options import (
    BATCH_EXIT_CODES,
    limit_options,
    pairs,
    result_options,
    store_option,
)
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.input.given_files import read_given
from llm_orc.cli.shell.model_options import model_options, named_models
from llm_orc.cli.shell.options import app_here, cache_options, caching_of, set_option
from llm_orc.cli.shell.output.files import output_place, refuse_to_replace
from llm_orc.cli.shell.output.streams import is_terminal, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.batches.carry_out import BatchListener, BatchOutcome
    from llm_orc.app.batches.plan import Submission
    from llm_orc.cli.shell.stoppable import Stopping


@define_command(BATCH_EXIT_CODES)
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@click.option(
    "--inputs",
    required=True,
    metavar="PLACE",
    type=click.Path(allow_dash=True),
    help="A file of JSON objects, one per line (.jsonl), a table (.csv, .tsv), lines of text, a folder with a file"
    " for each input, or `-` for standard input.",
)
@click.option(
    "--inputs-format",
    "input_form",
    type=click.Choice(("jsonl", "csv", "tsv", "lines")),
    help="The format of the inputs if their name doesn't show it, as with `-`.  [default: by name and content]",
)
@click.option(
    "-i",
    "--input",
    "template",
    metavar="TEXT",
    help='The task, with columns as placeholders, e.g. `-i "Judge {{name}}: {{text}}"`.  [default: the ensemble\'s'
    " `default_task` if it has placeholders, else the column `input`]",
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    callback=pairs,
    metavar="COLUMN=PLACEHOLDER",
    help='Rename a column, e.g. `--map "Company name=name"`.',
)
@set_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N inputs, as a trial.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only N inputs, chosen at random; always the same ones.",
)
@model_options
@limit_options
@cache_options
@click.option("--rehearse", is_flag=True, help="Use canned answers, for free; no model is called.")
@click.option("--again", is_flag=True, help="Run it as a new batch although the same one was run before.")
@result_options
@store_option
def command(
    *,
    ensemble_name: str,
    inputs: str,
    input_form: str | None,
    template: str | None,
    mapping: dict[str, str],
    given: dict[str, str],
    limit: int | None,
    sample: int | None,
    model: str | None,
    profile: str | None,
    agent_models: dict[str, str],
    max_cost_usd: float | None,
    max_calls: int | None,
    max_total_tokens: int | None,
    rows_at_once: int | None,
    allow_metered: bool,
    wait_for_plan: bool | None,
    no_cache: bool,
    refresh_cache: bool,
    rehearse: bool,
    again: bool,
    ordered: bool,
    form: str,
    output_file: str | None,
    quiet: bool,
    store: str | None,
) -> int:
    """Run ENSEMBLE on each of many inputs.

    The same command resumes a batch that was stopped, for whatever reason: a batch is identified by its ensemble
    and its inputs. Ctrl-C lets calls in flight finish; a second one doesn't. Results go to standard output as rows
    finish, unless it is a terminal; `batch results` writes them at any time.

    A column with the name of an input of the type `file` has paths, relative to the table. For such an ensemble,
    each file of a folder is a row.

    \b
    llm-orc batch review --inputs reports.jsonl > out.jsonl
    llm-orc batch screen --inputs firms.csv --map "Company name=name" --max-cost 5
    llm-orc batch review --inputs letters/ --limit 3 --rehearse
    llm-orc batch read-scan --inputs scans/ > texts.jsonl
    """
    from llm_orc.app.access.consent import Consent, with_consent
    from llm_orc.app.batches.carry_out import run_batch
    from llm_orc.app.batches.plan import plan_batch, prepare_batch
    from llm_orc.app.batches.request import BatchOptions, RequestedLimits
    from llm_orc.app.files.rows import input_of_folder
    from llm_orc.app.projects.find_ensemble import find_ensemble
    from llm_orc.cli.batch.execution.carry_out import carry_out

    models = named_models(model, profile, agent_models)
    app = app_here()
    showing = Showing(form, output_place(output_file), ordered=ordered, quiet=quiet)
    ensemble = find_ensemble(app, ensemble_name, note, models=models)
    refuse_to_replace(showing.file, inputs, ensemble.source.path if ensemble.source else None)
    if inputs == "-" and is_terminal(sys.stdin):
        note("Reading inputs from the terminal, one per line; Ctrl-D ends them.")
    piped = sys.stdin.buffer.read(LARGEST_FILE + 1) if inputs == "-" else None
    found = read_inputs(inputs, piped, input_form, files_as=input_of_folder(ensemble, given))
    values, files = read_given(app, ensemble, given, (), inputs)
    options = BatchOptions(
        inputs=inputs if inputs == "-" else str(Path(inputs).absolute()),
        shaping=Shaping(template, mapping, limit, sample),
        store=store,
        limits=RequestedLimits(max_cost_usd, max_calls, rows_at_once, wait_for_plan, max_total_tokens),
        consent=Consent(allow_metered),
        rehearse=rehearse,
        caching=caching_of(no_cache=no_cache, refresh_cache=refresh_cache),
        models=models,
        again=again,
        values=values,
        given=files,
    )
    submission = prepare_batch(app, ensemble, found, options)
    if older := submission.older_columns:
        note(
            f"`{{{{{older[0]}}}}}` in a system prompt is an older spelling: declare the input `{older[0]}`, and"
            f" write `${{inputs.{older[0]}}}`."
        )
    if ensemble.conversation is not None:
        note("The ensemble's conversation is not used: rows are independent of each other.")

    async def plan(consent: Consent, planned: Callable[[AccessPlan, int], None]) -> Submission:
        recipe = with_consent(submission.recipe, consent)
        return await plan_batch(app, replace(submission, recipe=recipe), planned)

    async def work(ready: Submission, watch: BatchListener, stopping: Stopping) -> BatchOutcome:
        return await run_batch(app, ready, watch, stopping.event)

    return carry_out(app, plan, work, showing, store, consent=options.consent)
