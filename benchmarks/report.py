"""Publish results: tables for people and JSON for programs, in `benchmarks/results/`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.machine import description

RESULTS = Path(__file__).parent / "results"

Cell = str | int | float
Row = Mapping[str, Cell]


def publish(name: str, title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
    """Print a table and write it as `results/NAME.md` and `results/NAME.json`."""
    text = f"## {title}\n\n{_table(rows)}\n\n" + "".join(f"- {note}\n" for note in (*notes, description()))
    sys.stdout.write(text + "\n")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    document = {
        "title": title,
        "machine": description(),
        "notes": list(notes),
        "rows": [_jsonable(r) for r in rows],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _table(rows: Sequence[Row]) -> str:
    columns = list(rows[0])
    lines = [[_shown(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[n]) for line in [columns, *lines]) for n in range(len(columns))]
    ruled = [columns, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in ruled
    )


def _shown(cell: Cell) -> str:
    if not isinstance(cell, float):
        return str(cell)
    if math.isnan(cell):
        return "-"
    return f"{cell:.0f}" if cell >= 100 else f"{cell:.2f}" if cell >= 1 else f"{cell:.3f}"


def _jsonable(row: Row) -> dict[str, Cell | None]:
    return {name: None if isinstance(cell, float) and math.isnan(cell) else cell for name, cell in row.items()}
