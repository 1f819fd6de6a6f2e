"""`llm-orc worker`: process the batches of a store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_orc.cli.batch.options import store_option
from llm_orc.cli.batch.values import asking_words
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here, wait_for_plan_option
from llm_orc.cli.shell.output.streams import note
from llm_orc.formats.printable import printable
from llm_orc.runs.results import WAITS

if TYPE_CHECKING:
    from llm_orc.batches.batch import Batch
    from llm_orc.errors import LlmOrcError, StorageError


@define_command()
@click.option(
    "--until-done",
    is_flag=True,
    help="End when there is nothing to do, instead of waiting: no batch is open, or all that are left ask people.",
)
@wait_for_plan_option
@click.option("-q", "--quiet", is_flag=True, help="Show only errors while it runs.")
@store_option
def command(*, until_done: bool, wait_for_plan: bool | None, quiet: bool, store: str | None) -> int:
    """Process the open batches of a store, until Ctrl-C.

    On PostgreSQL any number of workers can share a store, on any number of machines; each may start, stop or be
    killed at any time. Each uses the credentials of its own machine, and ends with exit code 4 if it has none.

    \b
    llm-orc worker --store postgresql://orc@db.example/batches
    """
    from llm_orc.app.batches.worker import WorkerListener, run_worker
    from llm_orc.cli.shell.stoppable import Stopping, run_stoppable

    app = app_here()
    if wait_for_plan is not None:
        runs = replace(app.settings.runs, wait_for_plan=wait_for_plan)
        app = replace(app, settings=replace(app.settings, runs=runs))
    view = _View(quiet=quiet)

    async def work(stopping: Stopping) -> LlmOrcError | None:
        watch = WorkerListener(view.waiting, view.joined, view.progress, view.aside, view.asks, view.note)
        return await run_worker(app, store, watch, stopping.event, until_done=until_done)

    stopped_by, code = run_stoppable(work, "Waiting for calls in flight; Ctrl-C again stops at once.")
    if stopped_by is not None:
        write_error(stopped_by)
        return stopped_by.exit_code
    return code or (WAITS if until_done and view.asking else 0)


class _View:
    """Prints a line when a batch starts, ends, or has progressed by a tenth."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said: dict[str, int] = {}
        self.asking: set[str] = set()  # batches that wait for people

    def waiting(self, error: StorageError) -> None:
        from llm_orc.app.batches.carry_out import waiting_words

        note(waiting_words(error))

    def joined(self, worker_id: str, store: str) -> None:
        if not self._quiet:
            note(f"Worker {worker_id} on {store}. Ctrl-C ends it.")

    def note(self, sentence: str) -> None:
        note(printable(sentence))

    def aside(self, batch_id: str, error: LlmOrcError) -> None:
        note(f"{batch_id}: left alone, {error.message}")

    def asks(self, batch: Batch) -> None:
        self._said.pop(batch.batch_id, None)
        self.asking.add(batch.batch_id)
        note(f"{batch.batch_id}: {asking_words(batch)}: llm-orc batch status {batch.batch_id}")

    def progress(self, found: list[Batch], rows: int) -> None:
        self.asking -= {batch.batch_id for batch in found}
        if self._quiet:
            return
        for batch in found:
            done = batch.total - batch.waiting
            tenth = 10 * done // max(batch.total, 1)
            if tenth > self._said.get(batch.batch_id, -1):
                self._said[batch.batch_id] = tenth
                what = f"{batch.batch_id} {batch.ensemble}"
                note(f"{what}: {done:,} of {batch.total:,} rows done, {rows:,} in progress here")
        for batch_id in self._said.keys() - {batch.batch_id for batch in found}:
            del self._said[batch_id]
            note(f"{batch_id}: done")
