"""Carry out a batch for a person or a program: consent, what is shown, and how it ends."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from llm_orc.cli.batch.approvals.words import asking_lines
from llm_orc.cli.batch.execution.progress import BatchView
from llm_orc.cli.batch.execution.results import Showing, columns_of, write_file
from llm_orc.cli.batch.options import command_words, stopping_words
from llm_orc.cli.batch.values import asking_words, failure_lines, waiting_words
from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.consent import Costly, say_cost, with_yes
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.process.stop_signals import stopped_by
from llm_orc.cli.shell.prompts import person_is_here
from llm_orc.cli.shell.stoppable import Stopping, run_stoppable
from llm_orc.errors import MeteredNotAllowed
from llm_orc.formats.figures import count
from llm_orc.net.event_loop import run_to_end
from llm_orc.runs.results import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from llm_orc.app.access.consent import Consent
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.batches.carry_out import BatchListener, BatchOutcome
    from llm_orc.app.batches.plan import PlannedResume, Submission
    from llm_orc.app.wiring import App
    from llm_orc.batches.batch import Batch

_Ready = TypeVar("_Ready", "Submission", "PlannedResume")


def carry_out(
    app: App,
    plan: Callable[[Consent, Callable[[AccessPlan, int], None]], Coroutine[object, object, _Ready]],
    work: Callable[[_Ready, BatchListener, Stopping], Coroutine[object, object, BatchOutcome]],
    showing: Showing,
    store: str | None,
    *,
    consent: Consent,
) -> int:
    """Plan the batch, show who pays, ask for consent if needed, run it and say how it ended."""
    from llm_orc.app.batches.carry_out import BatchListener
    from llm_orc.cli.batch.execution.output import RowStream, streams_rows

    ready = planned_with_consent(app, plan, consent, quiet=showing.quiet)
    view = BatchView(quiet=showing.quiet)
    stream = None
    if showing.file is None and streams_rows():
        columns = partial(columns_of, app, store, ready.batch_id)
        stream = RowStream(columns, showing.form, in_order=showing.in_order)

    def began(batch: Batch) -> None:
        if not showing.quiet:
            note(_first_words(batch))

    async def carry(stopping: Stopping) -> BatchOutcome:
        watch = BatchListener(began, view.show, stream.write if stream else None, note)
        return await work(ready, watch, stopping)

    try:
        outcome, code = run_stoppable(carry, stopping_words)
    finally:
        view.close()
    if showing.file is not None and outcome is not None:
        write_file(app, store, ready.batch_id, showing)
    return ended(app, outcome, code, ready.batch_id, store)


def _first_words(batch: Batch) -> str:
    done = batch.total - batch.waiting - batch.unusable
    before = f", {done:,} of them already done" if done else ""
    return f"Batch {batch.batch_id}: {batch.ensemble} over {count(batch.total, 'row')}{before}"


def planned_with_consent(
    app: App,
    plan: Callable[[Consent, Callable[[AccessPlan, int], None]], Coroutine[object, object, _Ready]],
    consent: Consent,
    *,
    quiet: bool,
) -> _Ready:
    """Plan the batch and show it; for calls that may cost, ask in a terminal for consent, with an estimate."""
    planned: list[tuple[AccessPlan, int]] = []
    asking = False

    def show(access: AccessPlan, rows: int) -> None:
        planned.append((access, rows))
        if not quiet or asking:
            for words in access_lines(access):
                note(words)

    while True:
        try:
            return run_to_end(plan(consent, show))
        except MeteredNotAllowed as refusal:
            if consent.includes(refusal) or not person_is_here():
                raise
            say_cost(refusal)
            asking = True
            ready = run_to_end(plan(replace(consent, allow_metered=True), show))
            access, rows = planned[-1]
            agreed = with_yes(app, refusal, Costly(count(rows, "row"), access, ready.ensemble), consent)
            if agreed is None:
                raise
            consent = agreed


def ended(app: App, outcome: BatchOutcome | None, exit_code: int, batch_id: str, store: str | None) -> int:
    """Say how the batch ended and what to do next; return the exit code."""
    go_on = command_words("resume", batch_id, store)
    if outcome is None:
        note(f"Stopped at once: calls in flight may be repeated. Resume with: {go_on}")
        return exit_code
    batch = outcome.progress.batch
    failed = batch.counts.get("failed", 0) + batch.counts.get("completed_with_errors", 0)
    if failed:
        _say_why(app, batch_id, store)
    done = batch.total - batch.waiting - batch.counts.get("cancelled", 0)
    if outcome.stopped_by is not None:
        note(f"Stopped with {done:,} of {count(batch.total, 'row')} done, which are kept. Resume with: {go_on}")
        write_error(outcome.stopped_by)
        return outcome.stopped_by.exit_code
    if batch.only_asks and not exit_code:
        _say_who_asks(app, batch, store)
        return WAITS
    if batch.state == "open":
        return _said_open(batch, exit_code, done, go_on)
    if batch.state == "cancelled":
        note(f"Cancelled with {done:,} of {count(batch.total, 'row')} done. Resume with: {go_on}")
        return exit_code or 1
    note(f"Results: {command_words('results', batch_id, store)}")
    if failed > batch.unusable:
        asked = failed - batch.unusable
        note(f"Retry the {asked:,} that failed: {command_words('retry-failed', batch_id, store)}")
    if batch.unusable:
        note(f"{count(batch.unusable, 'input')} can't be used; the results say why, with the line number.")
    return 1 if failed else 0


def _said_open(batch: Batch, exit_code: int, done: int, go_on: str) -> int:
    """Say how far a batch is that was stopped; return the exit code."""
    if words := waiting_words(batch, time.time()):
        note(f"{words}.")
    if words := asking_words(batch):
        note(f"{words}.")
    rows = f"{done:,} of {count(batch.total, 'row')}"
    if exit_code:
        note(f"Stopped by {stopped_by(exit_code)}: {rows} are done, and their answers are kept.")
        note(f"Resume with: {go_on}")
    else:
        note(f"Paused with {rows} done. Resume with: {go_on}")
    return exit_code or 1


def _say_why(app: App, batch_id: str, store: str | None) -> None:
    from llm_orc.app.batches.admin import failures_of

    for words in failure_lines(failures_of(app, store, batch_id)):
        note(words)


def _say_who_asks(app: App, batch: Batch, store: str | None) -> None:
    from llm_orc.app.batches.admin import open_batches

    with open_batches(app, store) as batches:
        asked = batches.open_questions(batch.batch_id) if batches else ()
    for words in asking_lines(asked, store):
        note(words)
    note(f"Then go on with: {command_words('resume', batch.batch_id, store)}")
