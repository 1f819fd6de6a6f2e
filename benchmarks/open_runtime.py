"""The cost of a run on an open runtime: `python -m benchmarks.open_runtime [SHAPE…]`.

Every run is recorded. The figure is the CPU time of the whole process for one agent, the journal's thread
included: the minimum of many runs, because other load on the machine can only add to it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.machine import CLIENT_CORE, cpu_s, pinned, raise_open_files
from benchmarks.measure import server
from benchmarks.ours import app_on, ensemble_of
from benchmarks.report import Row, publish
from benchmarks.workload import PROMPT
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Runtime
from llm_orc.net.event_loop import run_to_end


@dataclass(frozen=True, slots=True)
class _Case:
    """Layers of agents, given by their sizes; each layer waits for all of the one before."""

    name: str
    layers: tuple[int, ...]
    runs: int
    most_ms: float | None = None  # the target

    @property
    def agents(self) -> int:
        return sum(self.layers)


_CASES = (
    _Case("one agent", (1,), 200),
    _Case("five agents: three, one, one", (3, 1, 1), 200, 0.6),
    _Case("fan of 10", (10,), 100, 0.5),
    _Case("chain of 20", (1,) * 20, 30, 1.0),
    _Case("fan of 1000", (1000,), 8, 0.3),
)


async def _measured(case: _Case, origin: str, home: Path) -> Row:
    app, ensemble = app_on(origin, home), ensemble_of(case.layers)
    found = []
    async with Runtime(app) as runtime:
        for turn in range(case.runs + 3):
            before = cpu_s()
            result = await run_ensemble(app, ensemble, RunOptions(PROMPT), runtime=runtime)
            if turn >= 3:  # by now connections are open and modules loaded
                found.append((cpu_s() - before) / case.agents * 1000)
            if result.total.calls != case.agents or not result.recorded:
                raise SystemExit(f"{case.name}: {result.status}")
    least = min(found)
    verdict = "" if case.most_ms is None else "within" if least <= case.most_ms else "beyond"
    return {
        "run of": case.name,
        "least CPU ms/agent": least,
        "median": median(found),
        "target": "" if case.most_ms is None else f"{case.most_ms:g}",
        "verdict": verdict,
    }


def measure_runtime(names: list[str] | None = None) -> None:
    """Measure the cases whose names begin with one of `names`; None: all."""
    raise_open_files()
    wanted = [case for case in _CASES if not names or case.name.startswith(tuple(names))]
    rows = []
    with server() as origin, pinned(CLIENT_CORE):
        for case in wanted:
            home = Path(tempfile.mkdtemp())
            try:
                rows.append(run_to_end(_measured(case, origin, home)))
            finally:
                shutil.rmtree(home)
    publish("runtime", "Runs on an open runtime, journal on", rows, ["the least of all runs of one process"])


if __name__ == "__main__":
    measure_runtime(sys.argv[1:])
