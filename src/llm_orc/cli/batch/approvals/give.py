"""Give one answer to rows, or ask the person at the terminal for each."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from llm_orc.agents.path import AgentPath
from llm_orc.cli.batch.options import command_words, store_option
from llm_orc.cli.shell.arguments import BatchName
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import nobody_to_ask
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.figures import count
from llm_orc.formats.printable import first_words, one_line
from llm_orc.runs.results import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.batches.asking.answering import Recorded, RowsWanted
    from llm_orc.app.wiring import App
    from llm_orc.batches.questions import RowQuestion
    from llm_orc.cli.shell.approvals.said import Said

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


class RowOptions(TypedDict):
    """What click gives a command for `row_options`."""

    batch: str
    rows: tuple[int, ...]
    agent: str | None
    all_rows: bool
    store: str | None


def row_options(function: Decorated) -> Decorated:
    """Add the arguments and options of every command that answers."""
    for option in reversed(
        (
            click.argument("batch", default="last", metavar="[BATCH]", type=BatchName()),
            click.argument("rows", nargs=-1, metavar="[ROW]...", type=click.IntRange(min=1)),
            click.option("--all", "all_rows", is_flag=True, help="All rows that wait for an answer."),
            click.option(
                "--agent", "agent", metavar="PATH", help="Only what this agent asks, e.g. `--agent panel/ok`."
            ),
            store_option,
        )
    ):
        function = option(function)
    return function


def give(said: Said, options: RowOptions) -> int:
    """Store the answers, say who goes on, and return the exit code."""
    from llm_orc.app.approvals.answers import GivenAnswer
    from llm_orc.app.batches.asking.answering import answer_rows, chosen_questions

    app, store = app_here(), options["store"]
    wanted = _wanted(options)
    if said.choice is None and said.text is None:
        return _ask_each(app, store, wanted)
    asked = chosen_questions(app, store, wanted)
    recorded = answer_rows(app, store, asked, GivenAnswer(said.choice, said.text))
    return _told(recorded, asked, said, store)


def _wanted(options: RowOptions) -> RowsWanted:
    from llm_orc.app.batches.asking.answering import RowsWanted

    batch, is_row, row = options["batch"].partition(":")
    rows = options["rows"]
    if is_row:  # as `runs show` names it
        if not row.isdecimal() or not int(row):
            raise UsageMistake(f"`{options['batch']}` is not BATCH:ROW", hint="ROW is a number, counted from 1.")
        rows = (int(row), *rows)
    if rows and options["all_rows"]:
        raise UsageMistake("rows are named, and so are all", hint="Leave out the numbers, or `--all`.")
    return RowsWanted(batch, rows, options["agent"], options["all_rows"])


def _told(recorded: Recorded, asked: tuple[RowQuestion, ...], said: Said, store: str | None) -> int:
    words = said.choice if said.choice is not None else first_words(said.text or "")
    if len(asked) == 1 and recorded.too_late:
        raise recorded.too_late[0]
    if len(recorded.answered) == 1:
        note(f"{_whose(recorded.answered[0])}: {one_line(words)}")
    else:
        note(f"{count(len(recorded.answered), 'answer')} stored: {one_line(words)}")
    for error in recorded.too_late:
        write_error(error)
    _say_who_goes_on(recorded, asked[0].batch_id, store)
    return 1 if recorded.too_late else 0


def _whose(one: RowQuestion) -> str:
    label = f" ({one_line(one.label)})" if one.label else ""
    return f"Row {one.number}{label}, {one_line(one.asked.agent)}"


def _say_who_goes_on(recorded: Recorded, batch_id: str, store: str | None) -> None:
    if not recorded.answered:
        return
    if recorded.has_workers:
        note("A process that works on this store continues.")
    else:
        note(f"Go on with: {command_words('resume', batch_id, store)}")


def _ask_each(app: App, store: str | None, wanted: RowsWanted) -> int:
    """Ask the person at the terminal for each row that was named, or else for all that wait."""
    from llm_orc.app.approvals.answers import GivenAnswer
    from llm_orc.app.batches.asking.answering import answer_rows, chosen_questions
    from llm_orc.cli.shell.approvals.asker import asker
    from llm_orc.net.event_loop import run_to_end

    asked = chosen_questions(app, store, replace(wanted, all=True))
    ask = asker(nullcontext)
    if ask is None:
        option = "--choice" if asked[0].asked.choices else "--text"
        raise UsageMistake(f"no answer is given, and {nobody_to_ask()}", hint=f"Give it with `{option}`.")
    last: Recorded | None = None
    for one in asked:
        reply = run_to_end(ask(replace(one.asked, agent=AgentPath(_whose(one)))))
        if reply is None:
            break
        recorded = answer_rows(app, store, [one], GivenAnswer(reply.choice, reply.text))
        for error in recorded.too_late:
            write_error(error)
        last = recorded if recorded.answered else last
    if last is None:
        return WAITS
    _say_who_goes_on(last, asked[0].batch_id, store)
    return 0
