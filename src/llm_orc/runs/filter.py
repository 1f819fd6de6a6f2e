"""Which of the recorded runs are meant: conditions on their rows, as SQL."""

from __future__ import annotations

from typing import Literal, get_args

from llm_orc.dataclass import dataclass

RunKind = Literal["ensemble", "chat", "served"]
"""What a run is: one of an ensemble that somebody started, one turn of a chat, or one request to a server."""

RUN_KINDS: tuple[RunKind, ...] = get_args(RunKind)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """The runs that fulfil all conditions; None or empty: no condition."""

    kind: RunKind | None = None
    ensemble: str | None = None
    statuses: tuple[str, ...] = ()  # as stored in the row
    since: float | None = None  # started then or later, in Unix seconds

    def where(self) -> tuple[str, list[str | float]]:
        """Return the WHERE clause, empty if there is no condition, and its values."""
        conditions: list[str] = []
        values: list[str | float] = []
        for condition, value in (
            ("run_kind = ?", self.kind),
            ("ensemble = ?", self.ensemble),
            ("started_at >= ?", self.since),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        if self.statuses:
            conditions.append(f"status IN ({', '.join('?' * len(self.statuses))})")
            values += self.statuses
        return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values


ANY_RUN = RunFilter()
