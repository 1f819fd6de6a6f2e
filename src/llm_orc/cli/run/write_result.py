"""Write the result of a run where, and in the form, that was asked for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.cli.run.answer_output import (
    answer_of,
    answer_text,
    code_of,
    note_missing,
    note_others,
    note_summary,
    shown_answer,
)
from llm_orc.cli.shell.output.destination import AnswerOnly
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.errors import StorageError
from llm_orc.formats.format import EventFormat
from llm_orc.storage.atomic import write_where_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llm_orc.cli.shell.output.destination import Output
    from llm_orc.runs.results import RunResult


def write_result(result: RunResult, output: Output, *, shown: str | None, kept_at: str | None) -> int:
    """Return 1 if there is no answer to write, else 0.

    `shown` is the agent whose answer stands on the screen already. `kept_at` says where the answers are kept, if
    standard output accepts no more.
    """
    form = output.form
    if isinstance(form, EventFormat):  # written as they happened
        return 0
    if isinstance(form, AnswerOnly):
        return _write_answer(result, form, output, shown, kept_at)
    text = form.result(result)
    if output.file is None:
        with _saying(kept_at):
            write_data(text)
    else:
        _write_file(output.file, text, f"Status: {result.status}. ")
    return 0


def _write_answer(
    result: RunResult, form: AnswerOnly, output: Output, shown: str | None, kept_at: str | None
) -> int:
    agent = answer_of(result, form)
    is_stopped = result.error is not None  # which is reported by itself
    if agent.response is None:
        if result.error is not None and (result.error.code != "interrupted" or not result.recorded):
            note_others(agent, result)
        elif not is_stopped:
            note_missing(agent, result)
    elif output.file is not None:
        _write_file(output.file, answer_text(agent))
    elif shown != agent.name:
        with _saying(kept_at):
            write_data(shown_answer(agent, raw=form.raw), is_printable=True)
    if not output.quiet and not is_stopped:
        note_summary(agent, result)
    return code_of(agent)


@contextmanager
def _saying(kept_at: str | None) -> Iterator[None]:
    try:
        yield
    except StorageError as e:
        e.hint = kept_at
        raise


def _write_file(file: Path, text: str, status: str = "") -> None:
    write_where_named(file, text.encode("utf-8", "backslashreplace"))
    note(f"{status}Written to {file}")
