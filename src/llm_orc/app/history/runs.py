"""List, show, export and delete recorded runs."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Literal, get_args

from llm_orc.app.files.cleaning import remove_unused_contents
from llm_orc.app.files.spilled import remove_spilled
from llm_orc.app.runs.running import is_running, lock_of
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import AgentFailed, ApprovalAnswered, ApprovalAsked, RunStarted
from llm_orc.runs.filter import RunFilter, RunKind
from llm_orc.runs.retention import UNFINISHED
from llm_orc.runs.state import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.engine.events import RecordedEvent
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.runs.journal import Journal, RunRow
    from llm_orc.runs.recipe import Recipe
    from llm_orc.runs.results import RunResult

_ROW_NAME = re.compile(r"(b[0-9a-f]{1,12}|last):([0-9]+)")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a list. `status` is a result's, or `running`, or `interrupted` (then it can be resumed).

    Or `waiting`, for a person to answer what it `asks`; an answer that it has not gone on with asks nothing.
    `waits_until`: agents wait for a plan that is used up, or did when the run was interrupted; in Unix seconds.
    """

    run_id: str
    ensemble: str
    status: str
    started_at: float
    duration_s: float | None
    agents: int
    finished: int
    cost_usd: float | None  # None: a part of it is not known
    sandbox: bool
    known_cost_usd: float | None = None
    unknown_costs: int | None = None  # the number of calls and attempts of unknown cost; None: unknown too
    waits_until: float | None = None
    kind: RunKind = "ensemble"
    asks: tuple[ApprovalAsked, ...] = ()  # what agents ask a person


ListedStatus = Literal["completed", "completed_with_errors", "failed", "interrupted", "running", "waiting"]
"""A status to choose runs by. `waiting`: for a person's answer; or for a plan, and then the run is also
`interrupted` or `running`.
"""

LISTED_STATUSES: tuple[ListedStatus, ...] = get_args(ListedStatus)
# What an unfinished run does now is in no row, and a killed process leaves `open`.
_UNFINISHED: frozenset[ListedStatus] = frozenset({"interrupted", "running", "waiting"})


@dataclass(frozen=True, slots=True)
class RunsWanted:
    """Which runs to list; None or empty: no condition. `since` is in Unix seconds."""

    kind: RunKind | None = "ensemble"
    ensemble: str | None = None
    statuses: tuple[ListedStatus, ...] = ()
    since: float | None = None

    @property
    def rows(self) -> RunFilter:
        stored = [one for status in self.statuses for one in (UNFINISHED if status in _UNFINISHED else (status,))]
        return RunFilter(self.kind, self.ensemble, tuple(dict.fromkeys(stored)), self.since)

    def includes(self, run: RunSummary) -> bool:
        """True if the run has one of the statuses, of those rows that may have it."""
        if not self.statuses or run.status in self.statuses:
            return True
        return "waiting" in self.statuses and run.waits_until is not None


ENSEMBLE_RUNS = RunsWanted()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything that is stored of one run."""

    summary: RunSummary
    result: RunResult
    events: tuple[RecordedEvent, ...]
    recipe: Recipe

    @property
    def ensemble(self) -> Ensemble:
        return self.recipe.ensemble

    @property
    def state(self) -> RunState:
        state = RunState()
        for event in self.events:
            state.apply(event)
        return state


def list_runs(app: App, wanted: RunsWanted = ENSEMBLE_RUNS, *, limit: int | None = 30) -> tuple[RunSummary, ...]:
    """Return the wanted runs, newest first; all of them with `limit` None."""
    if not app.paths.runs_database.exists():
        return ()
    is_exact = _UNFINISHED.isdisjoint(wanted.statuses)
    with opened_journal(app) as journal:
        rows = journal.runs(wanted.rows, limit=limit if is_exact else None)
        found = (run for row in rows if wanted.includes(run := _summary(app, journal, row)))
        return tuple(islice(found, limit))


def count_runs(app: App, wanted: RunsWanted) -> int:
    """Return how many runs of this kind, ensemble and time are kept, whatever their status."""
    if not app.paths.runs_database.exists():
        return 0
    with opened_journal(app) as journal:
        return journal.count(replace(wanted, statuses=()).rows)


def is_row(run: str) -> bool:
    """Return whether `run` names a row of a batch."""
    return _ROW_NAME.fullmatch(run) is not None


def get_run(app: App, run: str, store: str | None = None) -> RunRecord:
    """Return a run by its id, an unambiguous part of it, or `last`; or the row `BATCH:ROW` of a batch in `store`.

    Raises `RunNotFound`, `BatchNotFound`.
    """
    if (named := _ROW_NAME.fullmatch(run)) is not None:
        return _row_of_batch(app, named[1], int(named[2]), store)
    from llm_orc.runs.recipe import find_run, load_run  # noqa: PLC0415 - heavy: msgspec

    with opened_journal(app) as journal:
        recorded = load_run(journal, find_run(journal, run))
        summary = _summary(app, journal, recorded.row)
    state = recorded.state
    if state.started is None:  # killed before its first event
        state = RunState()
        names = tuple(a.name for a in recorded.recipe.ensemble.agents)
        row = recorded.row
        state.apply(RunStarted(row.started_at, row.run_id, row.ensemble, names, recorded.recipe.task, row.sandbox))
    return RunRecord(summary, state.result(), recorded.events, recorded.recipe)


def _row_of_batch(app: App, batch: str, number: int, store: str | None) -> RunRecord:
    from llm_orc.app.history.batch_rows import find_row  # noqa: PLC0415 - the durable engine, for rows of batches only

    row, recipe = find_row(app, batch, number, store)
    state = row.run_state
    result = state.result()
    summary = RunSummary(
        run_id=row.row_id,
        ensemble=result.ensemble,
        status=result.status,
        started_at=result.started_at,
        duration_s=result.duration_s,
        agents=len(state.own_agents),
        finished=state.finished_agents,
        cost_usd=result.total.cost_usd,
        sandbox=result.sandbox,
        known_cost_usd=result.total.known_cost_usd,
        unknown_costs=result.total.unknown_costs,
    )
    return RunRecord(summary, result, row.record, recipe)


def delete_runs(app: App, runs: Sequence[str]) -> tuple[str, ...]:
    """Delete the runs that `runs` name, with their answers; returns their ids. Raises `RunNotFound` before any."""
    from llm_orc.runs.recipe import find_run  # noqa: PLC0415 - heavy: msgspec

    with opened_journal(app) as journal:
        found = tuple(dict.fromkeys(find_run(journal, run) for run in runs))
        journal.delete(found)
        remove_unused_contents(app, journal)
        remove_spilled(app, journal)
    for run_id in found:
        lock_of(app, run_id).unlink(missing_ok=True)
    return found


def prune_runs(app: App, before: float) -> tuple[str, ...]:
    """Delete the runs that have ended and that started before that time (Unix seconds); returns their ids."""
    if not app.paths.runs_database.exists():
        return ()
    with opened_journal(app) as journal:
        old = journal.older_than(before, app.clock.now())
    return delete_runs(app, old) if old else ()


@contextmanager
def opened_journal(app: App) -> Iterator[Journal]:
    journal = app.open_journal()
    try:
        yield journal
    finally:
        journal.close()


def _summary(app: App, journal: Journal, row: RunRow) -> RunSummary:
    status, finished = row.status, row.finished
    waits_until = journal.waits_until(row.run_id) if status in UNFINISHED else None
    asks: tuple[ApprovalAsked, ...] = ()
    if status == "waiting":
        asks = _asked(journal, row.run_id)
        status = "running" if is_running(app, row.run_id) else status
    if status == "open":
        status = "running" if is_running(app, row.run_id) else "interrupted"
        finished = journal.finished_agents(row.run_id)
    return RunSummary(
        run_id=row.run_id,
        ensemble=row.ensemble,
        status=status,
        started_at=row.started_at,
        duration_s=None if row.ended_at is None or row.status == "open" else row.ended_at - row.started_at,
        agents=row.agents,
        finished=finished,
        cost_usd=row.cost_usd,
        sandbox=row.sandbox,
        known_cost_usd=row.known_cost_usd,
        unknown_costs=row.unknown_costs,
        waits_until=waits_until,
        kind=row.kind,
        asks=asks,
    )


def _asked(journal: Journal, run_id: str) -> tuple[ApprovalAsked, ...]:
    """Return what agents of a run that waits ask; no other events are read."""
    from llm_orc.runs.wire import decode_event  # noqa: PLC0415 - heavy: msgspec

    found: dict[str, ApprovalAsked] = {}
    for kind, body in journal.questions(run_id):
        for event in decode_event(kind, body):
            if isinstance(event, ApprovalAsked):
                found[event.agent] = event
            elif isinstance(event, ApprovalAnswered | AgentFailed):
                found.pop(event.agent, None)
    return tuple(found.values())
