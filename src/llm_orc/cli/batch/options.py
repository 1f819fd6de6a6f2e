"""Options that the batch commands share."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TypeVar

import click

from llm_orc.cli.shell.arguments import BatchName
from llm_orc.cli.shell.options import CALLS, DOLLARS, TOKENS
from llm_orc.cli.shell.output_options import output_option
from llm_orc.cli.shell.usage import UsageMistake

Command = TypeVar("Command", bound=Callable[..., object])

store_option = click.option(
    "--store",
    metavar="PLACE",
    help="Where batches are stored: a file, or `postgresql://user@host/database` for workers on many machines."
    "  [default: the setting `batch.store`, else your own file]",
)
store_of_row_option = click.option(
    "--store",
    metavar="PLACE",
    help="Where the batch of a row `BATCH:ROW` is stored.  [default: `batch.store`, else your own file]",
)
row_format_option = click.option(
    "--output-format",
    "form",
    type=click.Choice(("jsonl", "csv", "text", "markdown")),
    default="jsonl",
    show_default=True,
    help="One JSON object per row, a CSV table with a column for each agent, or the answers alone, in the order of"
    " the input: `text`, or `markdown` with a heading for each row.",
)


BATCH_EXIT_CODES = {
    0: "every row completed",
    1: "rows failed, or are not done yet",
    6: "all rows that are left wait for a person's answer",
}
stopping_words = "Waiting for calls in flight; Ctrl-C again stops at once."
batch_argument = click.argument("batch", default="last", metavar="[BATCH]", type=BatchName())
_limit_options = (
    click.option(
        "--max-cost",
        "max_cost_usd",
        type=DOLLARS,
        metavar="USD",
        help="Make no metered call that might bring the batch above this.  [default: no limit; to resume,"
        " its present limit]",
    ),
    click.option(
        "--max-calls",
        type=CALLS,
        metavar="N",
        help="Make at most N calls for the batch.  [default: no limit; to resume, its present limit]",
    ),
    click.option(
        "--max-total-tokens",
        type=TOKENS,
        metavar="N",
        help="Take at most N tokens for the batch, of input and output together.  [default: no limit;"
        " to resume, its present limit]",
    ),
    click.option(
        "--max-concurrent",
        "rows_at_once",
        type=click.IntRange(min=1, max=10_000),
        metavar="N",
        help="Process at most N rows at once in each process.  [default: 32]",
    ),
    click.option(
        "--allow-metered",
        is_flag=True,
        help="Agree to calls that are billed per token or to a plan's credits, for this batch.",
    ),
    click.option(
        "--wait-for-plan/--no-wait-for-plan",
        default=None,
        help="Let rows wait for a plan that is used up until it resets. No metered access takes over."
        "  [default: the setting, else no; to resume, as before]",
    ),
)
_result_options = (
    click.option("--ordered", is_flag=True, help="Write results in the order of the input, not as they arrive."),
    row_format_option,
    output_option,
    click.option("-q", "--quiet", is_flag=True, help="Show only errors while it runs."),
)


def limit_options(command: Command) -> Command:
    """Add the limits of a batch: cost, calls and concurrency."""
    for option in reversed(_limit_options):
        command = option(command)
    return command


def result_options(command: Command) -> Command:
    """Add the options for results: where they go, and in which format."""
    for option in reversed(_result_options):
        command = option(command)
    return command


def command_words(verb: str, batch_id: str, store: str | None, *more: str) -> str:
    """Return the command `llm-orc batch VERB` for this batch."""
    return shlex.join(["llm-orc", "batch", verb, batch_id, *more, *(["--store", store] if store else [])])


def pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read `COLUMN=PLACEHOLDER`, which may be repeated."""
    found: dict[str, str] = {}
    for value in values:
        column, equals, placeholder = value.rpartition("=")
        if not equals or not column.strip() or not placeholder.strip():
            raise UsageMistake(
                f"`--map {value}` is not COLUMN=PLACEHOLDER", hint="Name both, e.g. `--map company=firm`."
            )
        found[column.strip()] = placeholder.strip()
    return found
