"""Every run's events in one SQLite file, appended only, written by one thread in group commits."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.runs.filter import ANY_RUN, RunFilter, RunKind
from llm_orc.runs.retention import UNFINISHED, RunAge, forgettable, older_than
from llm_orc.storage.patience import USUAL_PATIENCE, Patience
from llm_orc.storage.sqlite import open_database, storage_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_MIGRATIONS = (
    """
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        ensemble TEXT NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        status TEXT NOT NULL,
        agents INTEGER NOT NULL,
        finished INTEGER NOT NULL DEFAULT 0,
        cost_usd REAL,
        sandbox INTEGER NOT NULL,
        recipe BLOB NOT NULL
    ) STRICT;
    CREATE INDEX runs_by_start ON runs (started_at);
    CREATE TABLE events (
        run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT
    """,
    """
    ALTER TABLE runs ADD COLUMN known_cost_usd REAL;
    ALTER TABLE runs ADD COLUMN unknown_costs INTEGER
    """,
    """
    ALTER TABLE runs ADD COLUMN run_kind TEXT NOT NULL DEFAULT 'ensemble';
    UPDATE runs SET run_kind = 'chat' WHERE instr(CAST(recipe AS TEXT), '"is_chat":true') > 0;
    CREATE INDEX runs_by_kind ON runs (run_kind, started_at);
    CREATE INDEX runs_by_ensemble ON runs (ensemble, run_kind, started_at);
    CREATE INDEX runs_by_status ON runs (status, run_kind, started_at)
    """,
    """
    CREATE TABLE run_files (
        run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (run, sha256)
    ) STRICT
    """,
)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run's row before its first event. `recipe` is everything needed to resume it, as JSON."""

    run_id: str
    ensemble: str
    started_at: float
    agents: int
    sandbox: bool
    recipe: bytes
    kind: RunKind = "ensemble"
    files: tuple[str, ...] = ()  # the contents that its recipe refers to, by SHA-256


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list. `status` is `open` until the run has ended or was stopped cleanly."""

    run_id: str
    ensemble: str
    started_at: float
    ended_at: float | None
    status: str
    agents: int
    finished: int
    cost_usd: float | None  # None: a part of it is unknown, or it has not ended
    sandbox: bool
    known_cost_usd: float | None = None
    unknown_costs: int | None = None  # None: an earlier release ended it, or it has not ended
    kind: RunKind = "ensemble"


@dataclass(frozen=True, slots=True)
class EndOfTry:
    """The new state of the run's row; `status` `interrupted` leaves the run unfinished."""

    run_id: str
    status: str
    ended_at: float
    finished: int
    known_cost_usd: float
    unknown_costs: int = 0


@dataclass(frozen=True, slots=True)
class Entries:
    """Events of one run to append, in order, with the row's new state if the attempt has ended."""

    run_id: str
    events: Sequence[tuple[str, bytes]]  # kind, body
    end: EndOfTry | None
    written: Callable[[StorageError | None], None]  # called in the writer thread after the commit, or its failure


_DAY_S = 86_400.0
_INSERT_EVENT = "INSERT INTO events (run, seq, kind, body) VALUES (?, ?, ?, ?)"
_OPEN_QUESTION = (
    "SELECT run, kind FROM events JOIN runs ON run = number WHERE run_id = ?"
    " AND kind IN ('approval_asked', 'approval_answered', 'agent_finished', 'agent_failed')"
    " AND json_extract(CAST(body AS TEXT), '$.agent') = ? ORDER BY seq DESC LIMIT 1"
)
_COLUMNS = (
    "run_id, ensemble, started_at, ended_at, status, agents, finished, cost_usd, sandbox,"
    " known_cost_usd, unknown_costs, run_kind"
)
_NEWEST_FIRST = "ORDER BY started_at DESC, number DESC"


class Journal:
    """The file and its writer thread. Reading methods block; call them off the event loop where it matters."""

    def __init__(self, path: Path, patience: Patience = USUAL_PATIENCE) -> None:
        """Open or create the file. Raises `StorageError`."""
        self.path = path
        self._connection = open_database(path, _MIGRATIONS, patience=patience)
        self._using = threading.Lock()
        self._queue: queue.SimpleQueue[Entries | None] = queue.SimpleQueue()
        self._numbers: dict[str, int] = {}
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Write what is queued, then close the file."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._connection.close()

    def begin(self, run: NewRun) -> None:
        """Add a run before its first event. Raises `StorageError`: a full disk is found before money is spent."""
        self._start_writer()
        self._change(
            "INSERT INTO runs (run_id, ensemble, started_at, status, agents, sandbox, recipe, run_kind)"
            " VALUES (?, ?, ?, 'open', ?, ?, ?, ?)",
            [run.run_id, run.ensemble, run.started_at, run.agents, run.sandbox, run.recipe, run.kind],
        )
        for sha256 in run.files:
            self._change(
                "INSERT INTO run_files (run, sha256) SELECT number, ? FROM runs WHERE run_id = ?",
                [sha256, run.run_id],
            )

    def go_on(self, run_id: str, recipe: bytes) -> None:
        """Reopen a stopped run, with its new recipe. Raises `StorageError`."""
        self._start_writer()
        self._change("UPDATE runs SET status = 'open', recipe = ? WHERE run_id = ?", [recipe, run_id])

    def append(self, entries: Entries) -> None:
        """Queue `entries` of a started or resumed run; `entries.written` is called when they are stored."""
        self._queue.put(entries)

    def _start_writer(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, name="llm-orc-journal", daemon=True)
            self._thread.start()

    def _write_all(self) -> None:
        closing = False
        while not closing:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get())
            closing = None in group
            self._write_group([entries for entries in group if entries is not None])

    def _write_group(self, group: list[Entries]) -> None:
        failure: StorageError | None = None
        with self._using:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for entries in group:
                    self._write(self._connection, entries)
                self._connection.execute("COMMIT")
            except Exception as e:  # noqa: BLE001 - the thread serves all runs, and its callers must be notified
                failure = _unwritable(self.path, e)
                failure.__cause__ = e
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        for entries in group:
            if entries.end is not None:
                self._numbers.pop(entries.run_id, None)
            entries.written(failure)

    def _write(self, connection: sqlite3.Connection, entries: Entries) -> None:
        number = self._number(connection, entries.run_id)
        first = _next(connection, number)
        connection.executemany(
            _INSERT_EVENT, [(number, seq, kind, body) for seq, (kind, body) in enumerate(entries.events, first)]
        )
        if (end := entries.end) is not None:
            connection.execute(
                "UPDATE runs SET status = ?, ended_at = ?, finished = ?, cost_usd = ?, known_cost_usd = ?,"
                " unknown_costs = ? WHERE number = ?",
                (
                    end.status,
                    end.ended_at,
                    end.finished,
                    None if end.unknown_costs else end.known_cost_usd,
                    end.known_cost_usd,
                    end.unknown_costs,
                    number,
                ),
            )

    def _number(self, connection: sqlite3.Connection, run_id: str) -> int:
        number = self._numbers.get(run_id)
        if number is None:
            row = connection.execute("SELECT number FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                raise sqlite3.IntegrityError(f"run {run_id} was deleted while it was running")
            number = self._numbers[run_id] = row[0]
        return int(number)

    def runs(self, wanted: RunFilter = ANY_RUN, *, limit: int | None = None) -> list[RunRow]:
        """Return the wanted runs, newest first."""
        where, values = wanted.where()
        rows = self._read(
            f"SELECT {_COLUMNS} FROM runs {where} {_NEWEST_FIRST} LIMIT ?",  # noqa: S608
            [*values, -1 if limit is None else limit],
        )
        return [_row(r) for r in rows]

    def count(self, wanted: RunFilter = ANY_RUN) -> int:
        """Return how many runs are wanted."""
        where, values = wanted.where()
        return int(self._read(f"SELECT count(*) FROM runs {where}", values)[0][0])  # noqa: S608

    def newest_unfinished(self, kind: RunKind) -> Iterator[str]:
        """Yield the ids of unfinished runs of this kind, newest first."""
        where, values = RunFilter(kind, statuses=UNFINISHED).where()
        rows = self._read(f"SELECT run_id FROM runs {where} {_NEWEST_FIRST}", values)  # noqa: S608
        return (r[0] for r in rows)

    def find(self, text: str) -> list[str]:
        """Return the ids that equal `text`, or start or end with it."""
        exact = self._read("SELECT run_id FROM runs WHERE run_id = ?", [text])
        # In the index of ids alone: the rows are large. Ids begin with the time.
        rows = exact or self._read(
            "SELECT run_id FROM runs WHERE substr(run_id, 1, length(?1)) = ?1"
            " OR substr(run_id, -length(?1)) = ?1 ORDER BY run_id DESC",
            [text],
        )
        return [r[0] for r in rows]

    def run(self, run_id: str) -> tuple[RunRow, bytes] | None:
        """Return a run's row and its recipe, or None."""
        rows = self._read(f"SELECT {_COLUMNS}, recipe FROM runs WHERE run_id = ?", [run_id])  # noqa: S608
        return (_row(rows[0]), rows[0][-1]) if rows else None

    def events(self, run_id: str) -> list[tuple[int, str, bytes]]:
        """Return a run's events as (seq, kind, body), in order."""
        rows = self._read(
            "SELECT seq, kind, body FROM events JOIN runs ON run = number WHERE run_id = ? ORDER BY seq", [run_id]
        )
        return [(seq, kind, body) for seq, kind, body in rows]

    def finished_agents(self, run_id: str) -> int:
        """Count the ensemble's own agents with an answer in a run that is still going on."""
        rows = self._read(
            "SELECT count(*) FROM events JOIN runs ON run = number WHERE run_id = ? AND kind = 'agent_finished'"
            " AND json_extract(CAST(body AS TEXT), '$.agent') NOT GLOB '*[[/]*'",
            [run_id],
        )
        return int(rows[0][0])

    def waits_until(self, run_id: str) -> float | None:
        """Return when a plan that agents of an unfinished run wait for may be called again; None: none waits."""
        rows = self._read(
            "SELECT kind, json_extract(CAST(body AS TEXT), '$.agent'), json_extract(CAST(body AS TEXT), '$.until')"
            " FROM events JOIN runs ON run = number WHERE run_id = ?"
            " AND kind IN ('plan_wait_started', 'plan_wait_ended', 'model_chosen', 'agent_finished') ORDER BY seq",
            [run_id],
        )
        waits: dict[str, float] = {}
        for kind, agent, until in rows:
            if kind == "plan_wait_started":
                waits[agent] = until
            else:
                waits.pop(agent, None)
        return min(waits.values(), default=None)

    def answer(self, run_id: str, agent: str, event: tuple[str, bytes]) -> bool:
        """Add the answer to what an agent asks a person. False: it asks nothing, or somebody else was first.

        Any process may do so, also while another one carries out the run. Raises `StorageError`.
        """
        with self._using:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                open_question = self._connection.execute(_OPEN_QUESTION, [run_id, agent]).fetchone()
                if open_question is not None and open_question[1] == "approval_asked":
                    number = open_question[0]
                    self._connection.execute(_INSERT_EVENT, (number, _next(self._connection, number), *event))
                    self._connection.execute("COMMIT")
                    return True
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as e:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise storage_error(self.path, e) from e
        return False

    def questions(self, run_id: str) -> list[tuple[str, bytes]]:
        """Return what agents of a run have asked people, and what became of it, in order."""
        return self._read(
            "SELECT kind, body FROM events JOIN runs ON run = number WHERE run_id = ?"
            " AND kind IN ('approval_asked', 'approval_answered', 'agent_failed') ORDER BY seq",
            [run_id],
        )

    def answers(self, run_id: str) -> list[tuple[str, bytes]]:
        """Return the events with which people have answered what agents of a run asked, in order."""
        return self._read(
            "SELECT kind, body FROM events JOIN runs ON run = number WHERE run_id = ?"
            " AND kind = 'approval_answered' ORDER BY seq",
            [run_id],
        )

    def delete(self, run_ids: Sequence[str]) -> int:
        """Delete runs with their events; returns how many there were."""
        with self._using:
            try:
                deleted = self._connection.executemany(
                    "DELETE FROM runs WHERE run_id = ?", [(run_id,) for run_id in run_ids]
                ).rowcount
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as e:
                raise storage_error(self.path, e) from e
        return deleted

    def files(self) -> set[str]:
        """Return the contents that runs refer to, by SHA-256."""
        return {sha256 for (sha256,) in self._read("SELECT DISTINCT sha256 FROM run_files")}

    def older_than(self, before: float, now: float) -> list[str]:
        """Return the ids of ended runs that started before `before` (Unix seconds)."""
        return older_than(self._ages(), before, now) if self._is_any_before(before) else []

    def forgettable(self, keep_days: int, now: float) -> list[str]:
        """Return the ids of the runs to be deleted. See `runs.retention`."""
        return forgettable(self._ages(), keep_days, now) if self._is_any_before(now - keep_days * _DAY_S) else []

    def _is_any_before(self, at: float) -> bool:
        return bool(self._read("SELECT 1 FROM runs WHERE started_at < ? LIMIT 1", [at]))

    def _ages(self) -> list[RunAge]:
        return [RunAge(*r) for r in self._read("SELECT run_id, started_at, status FROM runs ORDER BY number")]

    def _read(self, sql: str, values: Sequence[str | float] = ()) -> list[tuple[Any, ...]]:
        with self._using:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as e:
                raise storage_error(self.path, e) from e

    def _change(self, sql: str, values: Sequence[str | float | bytes]) -> None:
        with self._using:
            try:
                self._connection.execute(sql, values)
            except sqlite3.Error as e:
                raise storage_error(self.path, e) from e


def _next(connection: sqlite3.Connection, number: int) -> int:
    """Return the place of a run's next event: several processes may add some."""
    row = connection.execute("SELECT max(seq) FROM events WHERE run = ?", (number,)).fetchone()
    return 0 if row[0] is None else int(row[0]) + 1


def _unwritable(path: Path, error: Exception) -> StorageError:
    if isinstance(error, sqlite3.Error):
        return storage_error(path, error)
    return StorageError(f"can't write to the journal `{path}`: {type(error).__name__}: {error}")


def _row(values: tuple[Any, ...]) -> RunRow:
    run_id, ensemble, started_at, ended_at, status, agents, finished, cost_usd, sandbox = values[:9]
    row = RunRow(run_id, ensemble, started_at, ended_at, status, agents, finished, cost_usd, bool(sandbox))
    return replace(row, known_cost_usd=values[9], unknown_costs=values[10], kind=values[11])
