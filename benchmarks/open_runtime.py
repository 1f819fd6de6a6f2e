"""The cost of a run on an open runtime: `python -m benchmarks.open_runtime [SHAPE…]`.

Every run is recorded. The figure is the CPU time of the whole process for one call, the journal's thread
included: the minimum of many runs, because other load on the machine can only add to it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.machine import CLIENT_CORE, cpu_s, pinned, raise_open_files
from benchmarks.measure import server
from benchmarks.ours import app_on, ensemble_of
from benchmarks.report import Row, publish
from benchmarks.server import TOOL_TURNS
from benchmarks.workload import PROMPT
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.agents.work import ModelWork
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Runtime
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.net.event_loop import run_to_end


@dataclass(frozen=True, slots=True)
class _Case:
    """An ensemble that calls a model `calls` times."""

    name: str
    ensemble: Ensemble
    calls: int
    runs: int
    most_ms: float | None = None  # the target


def _layers(name: str, sizes: tuple[int, ...], runs: int, most_ms: float | None = None) -> _Case:
    """Layers of agents, given by their sizes; each layer waits for all of the one before."""
    return _Case(name, ensemble_of(sizes), sum(sizes), runs, most_ms)


def _items(name: str, items: int, inner: int, runs: int, most_ms: float) -> _Case:
    """One agent that runs for each item of a list; with `inner`, an ensemble whose agent does so again."""
    asked = replace(ensemble_of((1,)).agents[0], fan_out=_over(inner or items))
    if not inner:
        return _Case(name, Ensemble("benchmark", (asked,)), items, runs, most_ms)
    outer = AgentSpec("outer", EnsembleWork(NestedEnsemble("inner", (asked,))), fan_out=_over(items))
    return _Case(name, Ensemble("benchmark", (outer,)), items * inner, runs, most_ms)


def _over(number: int) -> FanOut:
    return FanOut(tuple(f"startup {i}" for i in range(number)), max=number)


def _tool_loop(name: str, runs: int) -> _Case:
    """One agent that reads a file twice before it answers."""
    asked = ensemble_of((1,)).agents[0]
    assert isinstance(asked.work, ModelWork)
    asked = replace(asked, work=replace(asked.work, tools=("files.read",)))
    return _Case(name, Ensemble("benchmark", (asked,)), TOOL_TURNS + 1, runs)


_CASES = (
    _layers("one agent", (1,), 200),
    _layers("five agents: three, one, one", (3, 1, 1), 200, 0.6),
    _layers("fan of 10", (10,), 100, 0.5),
    _layers("chain of 20", (1,) * 20, 30, 1.0),
    _layers("row of 3", (1,) * 3, 100),
    _tool_loop("tool loop of 3", 100),
    _layers("fan of 1000", (1000,), 8, 0.3),
    _items("500 items", 500, 0, 8, 0.4),
    _items("5000 items", 5000, 0, 4, 0.4),
    _items("100 x 50 items", 100, 50, 4, 0.4),
)


async def _measured(case: _Case, origin: str, home: Path) -> Row:
    app = app_on(origin, home)
    (home / "note.txt").write_text("A note of a few words.\n")
    found = []
    async with Runtime(app) as runtime:
        for turn in range(case.runs + 3):
            before = cpu_s()
            result = await run_ensemble(app, case.ensemble, RunOptions(PROMPT), runtime=runtime)
            if turn >= 3:  # by now connections are open and modules loaded
                found.append((cpu_s() - before) / case.calls * 1000)
            if result.total.calls != case.calls or not result.recorded:
                raise SystemExit(f"{case.name}: {result.status}")
    least = min(found)
    verdict = "" if case.most_ms is None else "within" if least <= case.most_ms else "beyond"
    return {
        "run of": case.name,
        "least CPU ms/call": least,
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
