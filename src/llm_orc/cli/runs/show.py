"""`llm-orc runs show`: the answers of a run, and how it ended."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from llm_orc.app.history.runs import get_run
from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.run.answer_output import answer_of, code_of, note_missing, note_summary, shown_answer
from llm_orc.cli.runs.arguments import run_argument
from llm_orc.cli.runs.record_text import record_text
from llm_orc.cli.shell.approvals.words import note_waiting
from llm_orc.cli.shell.arguments import AgentOfRun
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.destination import AnswerOnly
from llm_orc.cli.shell.output.format_option import format_option
from llm_orc.cli.shell.output.pager import write_paged
from llm_orc.cli.shell.output.streams import Styled, note, write_data
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.figures import moment, until_words
from llm_orc.formats.printable import one_line, printable
from llm_orc.formats.sentences import SANDBOX_NOTE
from llm_orc.formats.table import FORMAT_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.history.runs import RunRecord
    from llm_orc.runs.results import RunResult


@define_command()
@run_argument
@click.option(
    "--agent", metavar="NAME", type=AgentOfRun(), help="Only the answer of this agent, e.g. `--agent lawyer`."
)
@click.option("--all", "everything", is_flag=True, help="The answers of all agents, and what they took.")
@format_option(FORMAT_NAMES, None, "Everything in this format.  [default: the answer]")
@click.option("--raw", is_flag=True, help="Don't render the Markdown of an answer in a terminal.")
@click.option("--no-pager", is_flag=True, help="Write it all at once, not page by page.")
@store_of_row_option
def command(
    run: str,
    *,
    agent: str | None,
    everything: bool,
    format_name: str | None,
    raw: bool,
    no_pager: bool,
    store: str | None,
) -> int:
    """Show the answer of an earlier run again, or all that is recorded of it.  [default: the last run]

    An answer is rendered in a terminal, and raw text in a pipe. What is long goes through a pager:
    `LLM_ORC_PAGER`, `PAGER` or `less`.

    \b
    llm-orc runs show > answer.md
    llm-orc runs show last --agent lawyer
    llm-orc runs show last --all
    """
    if agent is not None and (everything or format_name is not None):
        other = "--all" if everything else "--output-format"
        raise UsageMistake(f"--agent and {other} exclude each other", hint="Give only one.")
    record = get_run(app_here(), run, store)
    write = partial(write_data, is_printable=True) if no_pager else write_paged
    if everything or format_name is not None:
        write(printable(record_text(record, format_name or "text")))
        _note_state(record)
        return 0
    if agent is None:
        _note_run(record)
    code = _show_one(record.result, AnswerOnly(agent, raw), write)
    if agent is None:
        _note_state(record)
    return code


def _note_run(record: RunRecord) -> None:
    """Say which run it is: by default, nobody has named it."""
    summary = record.summary
    if summary.sandbox:
        note(SANDBOX_NOTE)
    note(Styled(one_line(f"{summary.ensemble} · {summary.status} · {moment(summary.started_at)}"), "dim"))


def _show_one(result: RunResult, wanted: AnswerOnly, write: Callable[[str], None]) -> int:
    agent = answer_of(result, wanted)
    if agent.response is None:
        note_missing(agent, result)
        return code_of(agent)
    write(shown_answer(agent, raw=wanted.raw))
    if wanted.agent is None:
        note_summary(agent, result)
    return 0


def _note_state(record: RunRecord) -> None:
    summary = record.summary
    if record.result.status == "waiting":
        note_waiting(record.result)
    until, now = summary.waits_until, time.time()
    if until is not None:
        note(f"This run {until_words(until, now)}." if until > now else "The plan that it waited for has reset.")
    if summary.status == "interrupted" and summary.kind == "chat":
        note("This turn of a chat was interrupted; it can be asked again there.")
    elif summary.status == "interrupted":
        waits = " --wait-for-plan" if until is not None and until > now else ""
        note(f"This run was interrupted. Resume with: llm-orc resume {summary.run_id}{waits}")
