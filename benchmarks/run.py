"""Run all benchmarks, or some of them: print tables and write them into `benchmarks/results/`.

    python -m benchmarks.run [--quick] [--only startup,fan,stream,clients]

The targets in the tables are the project's; a figure that misses its target is reported, not hidden.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import bare, clients, ours
from benchmarks.measure import Compared, compare, growth_exponent, server
from benchmarks.open_runtime import measure_runtime
from benchmarks.report import Row, publish
from benchmarks.startup import measure_startup
from benchmarks.workload import chain, fan, layers, stream

_LATENCY_MS = 50.0
_RATIO = 1.5  # CPU time, relative to the bare client's
_ALLOWANCE_MS = {"fan": 0.15, "layers": 0.15, "chain": 0.5, "stream": 0.0}  # more CPU time per call
_WALL_RATIO = 1.1  # relative to the critical path, up to _WALL_CALLS calls
_WALL_CALLS = 500
_PEAK_MB = {"stream:1000": 130.0, "stream:5000": 400.0}


@dataclass(frozen=True, slots=True)
class Extent:
    """How much to measure. `--quick` gives a first impression and no results to publish."""

    repeats: int
    fans: Sequence[int]
    streams: Sequence[int]
    client_sizes: Sequence[int]


FULL = Extent(7, (10, 100, 500, 1000, 5000), (100, 1000, 5000), (100, 1000))
QUICK = Extent(3, (10, 100, 1000), (100, 1000), (100,))


def measure_fan(extent: Extent) -> None:
    """Orchestration: whole replies after 50 ms, in fans, layers and a chain."""
    shapes = [*map(fan, extent.fans), layers(10, 20), chain(50)]
    programs = [bare.PROGRAM, ours.PROGRAM]
    with server(latency_ms=_LATENCY_MS) as origin:
        found = [row for shape in shapes for row in compare(programs, shape, origin, extent.repeats)]
    notes = [
        f"{_LATENCY_MS:.0f} ms a call; medians of {extent.repeats} turns",
        f"allowed: {_RATIO} x bare + 0.15 ms, in the chain 0.5; wall {_WALL_RATIO} x ideal to {_WALL_CALLS} calls",
        *_growth(found),
    ]
    publish("orchestration", "Orchestration, journal on", _with_limits(found), notes)


def measure_stream(extent: Extent) -> None:
    """Streams of 200 tokens, as fast as possible."""
    with server() as origin:
        found = [
            row
            for size in extent.streams
            for row in compare([bare.PROGRAM, ours.PROGRAM], stream(size), origin, extent.repeats)
        ]
    notes = [f"medians of {extent.repeats} turns", f"allowed: {_RATIO} x bare; 130 MB at 1000, 400 MB at 5000"]
    publish("streaming", "Streaming 200 tokens", _with_limits(found), notes)


def measure_clients(extent: Extent) -> None:
    """The bare client, httpx and the official SDKs."""
    programs = [bare.PROGRAM, *clients.PROGRAMS]
    found: list[Compared] = []
    repeats = min(3, extent.repeats)
    with server(latency_ms=_LATENCY_MS) as whole, server() as streams:
        for size in extent.client_sizes:
            found += compare(programs, fan(size), whole, repeats)
            found += compare(programs, stream(size), streams, repeats)
    publish("clients", "HTTP clients and SDKs", [_plain(row) for row in found], [f"medians of {repeats} turns"])


def _with_limits(found: Sequence[Compared]) -> list[Row]:
    bare_ms = {str(row.shape): row.cpu_ms_per_call for row in found if row.program == bare.PROGRAM.name}
    return [_plain(row) | _limits(row, bare_ms[str(row.shape)]) for row in found]


def _plain(row: Compared) -> dict[str, str | int | float]:
    return {
        "shape": str(row.shape),
        "program": row.program,
        "CPU ms/call": row.cpu_ms_per_call,
        "x bare": row.cpu_ratio,
        "wall s": row.wall_s,
        "peak MB": row.peak_mb,
        "failed": row.failed_calls if not row.note else row.note,
    }


def _limits(row: Compared, bare_ms: float) -> dict[str, str | int | float]:
    ideal_s = row.shape.layers * _LATENCY_MS / 1000
    wall = math.nan if row.shape.streamed else row.wall_s / ideal_s
    if row.program == bare.PROGRAM.name or row.note:
        return {"wall x ideal": wall, "allowed ms/call": math.nan, "verdict": ""}
    allowed_ms = _RATIO * bare_ms + _ALLOWANCE_MS[row.shape.kind]
    beyond = []
    if row.cpu_ms_per_call > allowed_ms:
        beyond.append("CPU")
    if row.shape.calls <= _WALL_CALLS and wall > _WALL_RATIO:  # false for NaN
        beyond.append("wall")
    if row.peak_mb > _PEAK_MB.get(str(row.shape), math.inf):
        beyond.append("memory")
    verdict = f"beyond: {', '.join(beyond)}" if beyond else "within"
    return {"wall x ideal": wall, "allowed ms/call": allowed_ms, "verdict": verdict}


def _growth(found: Sequence[Compared]) -> list[str]:
    notes = []
    for name in dict.fromkeys(row.program for row in found):
        points = [
            (row.shape.calls, row.cpu_ms_per_call * row.shape.calls)
            for row in found
            if row.program == name and row.shape.kind == "fan" and not row.note
        ]
        if len(points) > 1:
            notes.append(
                f"growth exponent of {name}, fans: {growth_exponent(points):.2f} (1 is linear; target 1.05)"
            )
    return notes


_PARTS: Mapping[str, Callable[[Extent], None]] = {
    "startup": lambda extent: measure_startup(3 * extent.repeats),
    "runtime": lambda _extent: measure_runtime(),
    "fan": measure_fan,
    "stream": measure_stream,
    "clients": measure_clients,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and turns")
    parser.add_argument("--only", default=",".join(_PARTS), help=f"some of {', '.join(_PARTS)}")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in _PARTS]:
        parser.error(f"`{unknown[0]}` is none of {', '.join(_PARTS)}")
    for name in names:
        sys.stderr.write(f"measuring {name} …\n")
        _PARTS[name](QUICK if options.quick else FULL)


if __name__ == "__main__":
    main()
