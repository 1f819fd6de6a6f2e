"""`llm-orc runs show`: the answers of a run, and how it ended."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from llm_orc.app.history.runs import get_run
from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.run.answer_output import answer_of, note_missing, shown_answer
from llm_orc.cli.runs.arguments import run_argument
from llm_orc.cli.runs.record_text import record_text
from llm_orc.cli.shell.arguments import AgentOfRun
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.destination import AnswerOnly
from llm_orc.cli.shell.output.format_option import format_option
from llm_orc.cli.shell.output.pager import write_paged
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.figures import until_words
from llm_orc.formats.printable import printable
from llm_orc.formats.table import FORMAT_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.history.runs import RunSummary
    from llm_orc.runs.results import RunResult


@define_command()
@run_argument
@click.option(
    "--agent", metavar="NAME", type=AgentOfRun(), help="Only the answer of this agent, e.g. `--agent lawyer`."
)
@click.option("--answer", is_flag=True, help="Only the answer of the ensemble.")
@click.option(
    "--all", "everything", is_flag=True, help="The answers of all agents, and what they took.  [default]"
)
@format_option(FORMAT_NAMES, "text", "How to write all of it.")
@click.option("--raw", is_flag=True, help="Don't render the Markdown of one answer in a terminal.")
@click.option("--no-pager", is_flag=True, help="Write it all at once, not page by page.")
@store_of_row_option
def command(
    run: str,
    *,
    agent: str | None,
    answer: bool,
    everything: bool,
    format_name: str,
    raw: bool,
    no_pager: bool,
    store: str | None,
) -> int:
    """Show a run again: its answers, what they took and how it ended.  [default: the last run]

    One answer alone (--agent, --answer) is rendered in a terminal, and raw text in a pipe. What is long goes
    through a pager: `LLM_ORC_PAGER`, `PAGER` or `less`.

    \b
    llm-orc runs show last --agent lawyer
    """
    record = get_run(app_here(), run, store)
    write = partial(write_data, is_printable=True) if no_pager else write_paged
    given = {"--agent": agent is not None, "--answer": answer, "--all": everything}
    if sum(given.values()) > 1:
        excluding = " and ".join(option for option, is_given in given.items() if is_given)
        raise UsageMistake(f"{excluding} exclude each other", hint="Give only one.")
    if agent is not None or answer:
        return _show_one(record.result, AnswerOnly(agent, raw), write)
    text = record_text(record, format_name)
    write(printable(text))
    _note_state(record.summary)
    return 0


def _show_one(result: RunResult, wanted: AnswerOnly, write: Callable[[str], None]) -> int:
    agent = answer_of(result, wanted)
    if agent.response is None:
        note_missing(agent, result)
        return 1
    write(shown_answer(agent, raw=wanted.raw))
    return 0


def _note_state(summary: RunSummary) -> None:
    until, now = summary.waits_until, time.time()
    if until is not None:
        note(f"This run {until_words(until, now)}." if until > now else "The plan that it waited for has reset.")
    if summary.status == "interrupted":
        waits = " --wait-for-plan" if until is not None and until > now else ""
        note(f"This run was interrupted. Resume with: llm-orc resume {summary.run_id}{waits}")
