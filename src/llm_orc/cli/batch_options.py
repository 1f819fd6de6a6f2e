"""Options that the commands around batches share."""

from __future__ import annotations

import click

store_option = click.option(
    "--store",
    metavar="PLACE",
    help="Where batches are kept: a file, or `postgresql://user@host/database` for workers on many machines."
    "  [default: the setting `batch.store`, else a file of yours]",
)
row_format_option = click.option(
    "--output-format",
    "form",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    show_default=True,
    help="One JSON object a row, or a CSV table with a column for each agent.",
)


def pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read `COLUMN=PLACEHOLDER`, given as often as one likes."""
    found: dict[str, str] = {}
    for value in values:
        column, equals, placeholder = value.rpartition("=")
        if not equals or not column.strip() or not placeholder.strip():
            raise click.BadParameter(f"`{value}` is not COLUMN=PLACEHOLDER")
        found[column.strip()] = placeholder.strip()
    return found
