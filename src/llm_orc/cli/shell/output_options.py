"""The options that say what a command writes, where and how; and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from llm_orc.cli.shell.output.files import check_output, no_folder, refuse_to_replace
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.table import FORMAT_NAMES, load_format

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.cli.shell.output.destination import Output

Decorated = TypeVar("Decorated", bound="Callable[..., object]")

output_option = click.option(
    "-o",
    "--output",
    "output_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True),
    callback=check_output,
    help="Write to this file, whole or not at all, e.g. `-o answer.md`.  [default: standard output]",
)


def _form_option(others: str) -> Callable[[Decorated], Decorated]:
    return click.option(
        "--output-format",
        "format_name",
        type=click.Choice(("answer", *FORMAT_NAMES)),
        help=f"`answer` is the answer alone; the others have {others}: `json` is one document, for a failure too,"
        " `jsonl` the events as they happen.  [default: answer]",
    )


_json_option = click.option("--json", "as_json", is_flag=True, help="The same as `--output-format json`.")
_whose = (
    click.option("--all", "all_agents", is_flag=True, help="The answers of all agents; `--output-format text`."),
    click.option(
        "--agent",
        "agent",
        metavar="NAME",
        help="Write the answer of this agent, e.g. `--agent lawyer`.  [default: the ensemble's `answer`]",
    ),
)
_raw_option = click.option("--raw", is_flag=True, help="Don't render Markdown in a terminal.")

_quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show only errors while it runs.")


def output_options(function: Decorated) -> Decorated:
    """Add the options of every command that writes a result."""
    for option in reversed(
        (_form_option("all agents"), _json_option, *_whose, _raw_option, output_option, _quiet_option)
    ):
        function = option(function)
    return function


def one_output_options(function: Decorated) -> Decorated:
    """Add them to a command with one agent: all but those that choose among several."""
    for option in reversed(
        (_form_option("time, tokens and cost too"), _json_option, _raw_option, output_option, _quiet_option)
    ):
        function = option(function)
    return function


class OutputOptions(TypedDict):
    """What click gives a command for `output_options`."""

    format_name: str | None
    as_json: bool
    all_agents: bool
    agent: str | None
    raw: bool
    output_file: str | None
    quiet: bool


def output_of(options: OutputOptions, *read: str | None) -> Output:
    """Return where the result goes. Refuses, before anything is spent, a path that can't be written at the end.

    `read` are the files that the command reads; they are never replaced.
    """
    from llm_orc.cli.shell.output.destination import AnswerOnly, Output
    from llm_orc.formats.format import EventFormat

    file = options["output_file"]
    path = Path(file).absolute() if file else None
    name = _format_name(options)
    form = AnswerOnly(options["agent"], options["raw"]) if name == "answer" else load_format(name)
    if path is not None and isinstance(form, EventFormat):
        raise UsageMistake(
            f"`{name}` is written as it happens, not at the end", hint="Use `> FILE` instead of --output."
        )
    if path is not None and not path.parent.is_dir():
        raise no_folder(path.parent)
    refuse_to_replace(path, *read)
    return Output(form, path, options["quiet"])


def _format_name(options: OutputOptions) -> str:
    """Return the one format that the options ask for; two that differ are a mistake."""
    given = {
        f"--output-format {options['format_name']}": options["format_name"],
        "--json": "json" if options["as_json"] else None,
        "--agent": "answer" if options["agent"] is not None else None,
        "--raw": "answer" if options["raw"] else None,
    }
    asked = {option: name for option, name in given.items() if name is not None}
    if options["all_agents"] and (not asked or "answer" in asked.values()):
        asked["--all"] = "text"  # the other formats have all of them anyway
    if len(set(asked.values())) > 1:
        first, second, *_ = sorted(asked, key=lambda option: asked[option])
        raise UsageMistake(f"{first} and {second} exclude each other", hint="Give only one.")
    return next(iter(asked.values()), "answer")
