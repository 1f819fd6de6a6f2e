"""What is unfinished, each with the one command that goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llm_orc.app.approvals.commands import answer_commands
from llm_orc.formats.figures import count, until_words
from llm_orc.formats.printable import first_words, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.budgets.ceilings import Limited
    from llm_orc.app.diagnostics.status import Status
    from llm_orc.app.diagnostics.unfinished import BatchesSeen
    from llm_orc.app.history.runs import RunSummary
    from llm_orc.batches.glance import UnfinishedBatch

_MOST = 3  # batches, and runs that wait for a person, on the screen


def unfinished_lines(status: Status) -> Iterator[tuple[str, str]]:
    """Yield a label and words for each: runs, batches, a project that waits for trust."""
    now = time.time()
    if status.unfinished:
        yield "unfinished", _run(status.unfinished[0], now)
    if (more := len(status.unfinished) - 1) > 0:
        yield "", f"{count(more, 'more run')}: llm-orc runs list --status interrupted"
    for run in status.waiting:
        yield "waiting", one_line(f"{run.ensemble}, {run.run_id}: {until_words(run.waits_until or 0.0, now)}")
    for run in status.asking[:_MOST]:
        yield from _asking(run)
    if (more := len(status.asking) - _MOST) > 0:
        yield "", f"{count(more, 'more run')}: llm-orc runs list --status waiting"
    if status.batches is not None:
        yield from _batches(status.batches, now)
    if (project := status.untrusted) is not None:
        values = count(project.values, "value")
        verb = "has" if project.values == 1 else "have"
        yield "project", one_line(f"{project.root}: {values} {verb} no effect before you trust it: llm-orc trust")


def _run(run: RunSummary, now: float) -> str:
    words = f"{run.ensemble}, {count(run.finished, 'agent')} of {run.agents}"
    until = run.waits_until
    if until is not None and until > now:
        return one_line(f"{words}, {until_words(until, now)}: llm-orc resume {run.run_id} --wait-for-plan")
    return one_line(f"{words}: llm-orc resume {run.run_id}")


def _asking(run: RunSummary) -> Iterator[tuple[str, str]]:
    if not run.asks:
        yield "waiting", one_line(f"{run.ensemble}, answered: llm-orc resume {run.run_id}")
    for asked in run.asks:
        commands = answer_commands(run.run_id, asked, names_agent=len(run.asks) > 1)
        yield "waiting", one_line(f"{run.ensemble}, {asked.agent}: {first_words(asked.message)}")
        yield "", "   or: ".join(commands)


def _batches(seen: BatchesSeen, now: float) -> Iterator[tuple[str, str]]:
    glance = seen.glance
    if glance is None:
        why = f"can't be read here ({seen.problem})" if seen.problem else "are asked only by: llm-orc batch list"
        yield "batches", one_line(f"those in {seen.store} {why}")
        return
    shown = glance.unfinished[:_MOST]
    for batch in shown:
        words = f"{batch.ensemble}, {batch.ended:,} of {count(batch.total, 'row')}"
        yield "batch", one_line(f"{words}, {_batch_state(batch, seen, now)}")
    if (more := len(glance.unfinished) - len(shown)) > 0:
        yield "", f"{more:,} more: llm-orc batch list --status open,spent"


_HIGHER: dict[Limited, str] = {
    "cost": "--max-cost USD",
    "calls": "--max-calls N",
    "tokens": "--max-total-tokens N",
}


def _batch_state(batch: UnfinishedBatch, seen: BatchesSeen, now: float) -> str:
    resume = f"llm-orc batch resume {batch.batch_id}"
    if batch.state == "spent":
        return f"has spent its budget: {resume} {_HIGHER[batch.limited]}"
    if batch.only_asks:
        rows = count(batch.asking, "row")
        verb = "waits" if batch.asking == 1 else "wait"
        return f"{rows} {verb} for an answer: llm-orc batch status {batch.batch_id}"
    waits = "" if batch.waits_until is None else f", {until_words(batch.waits_until, now)}"
    if seen.is_worked_on:
        return f"in progress{waits}: llm-orc batch status {batch.batch_id}"
    return f"stopped{waits}: {resume}"
