"""What `runs.max_cost_per_day` costs for each call: two transactions in a file that all processes share.

python -m benchmarks.day_limit
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.machine import cpu_s
from benchmarks.report import publish
from llm_orc.agents.budgets.attempt import Attempt
from llm_orc.agents.path import AgentPath
from llm_orc.app.access.bills.day_ledger import DayLedger
from llm_orc.app.runs.limits.day_budget import DayBudget

_CALLS = 2_000


async def _calls(budget: DayBudget, number: int) -> None:
    for _ in range(number):
        attempt = Attempt(AgentPath("a"), 0.01)
        async with budget.reserve(attempt):
            attempt.cost_usd = 0.001


async def _measure(at_once: int) -> tuple[float, float]:
    """Return the CPU and the time of one call, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = DayLedger(Path(folder) / "spending.sqlite", time.time)
        budget = DayBudget(ledger, 1_000_000.0)
        await _calls(budget, 1)
        cpu, began = cpu_s(), time.perf_counter()
        await asyncio.gather(*(_calls(budget, _CALLS // at_once) for _ in range(at_once)))
        taken = cpu_s() - cpu, time.perf_counter() - began
        await budget.close()
        ledger.close()
    return taken[0] * 1000 / _CALLS, taken[1] * 1000 / _CALLS


def main() -> None:
    rows = []
    for at_once in (1, 10, 100):
        cpu_ms, ms = asyncio.run(_measure(at_once))
        rows.append({"calls at once": at_once, "CPU of a call (ms)": cpu_ms, "time of a call (ms)": ms})
    publish("day-limit", "A limit for a day", rows)


if __name__ == "__main__":
    main()
