"""`llm-orc runs`: the runs that were recorded."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("list", "runs.list", "List runs, newest first."),
    Row("show", "runs.show", "Show a run: its answers, their cost and how it ended."),
    Row("export", "runs.export", "Write a run to a file or to standard output."),
    Row("approve", "runs.approvals.approve", "Answer what an agent asks: approve, and go on."),
    Row("reject", "runs.approvals.reject", "Answer what an agent asks: reject, and go on."),
    Row("answer", "runs.approvals.answer", "Answer what an agent asks: another choice, or your own words."),
    Row("delete", "runs.delete", "Delete runs and their answers for good."),
    Row("prune", "runs.prune", "Delete old runs and batches for good."),
    Row("retry", "runs.retry", "Start a new run from an earlier one; only agents without an answer are asked."),
    Row("fork", "runs.fork", "Start a new run from an earlier one, and ask some agents again."),
    Row("diff", "runs.diff", "Show what differs between two runs."),
)


@define_group(COMMANDS)
def command() -> None:
    """List, show, compare, fork and delete earlier runs.

    RUN is a run's id, the start or end of one, or `last`, the newest run of an ensemble; or a row of a batch,
    `BATCH:ROW`. Turns of chats are runs too: `llm-orc runs list --kind chat`.
    """
