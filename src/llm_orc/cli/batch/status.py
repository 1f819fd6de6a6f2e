"""`llm-orc batch status`: how far a batch is, what failed and what it has cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llm_orc.app.approvals.commands import row_asks_value
from llm_orc.cli.batch.approvals.words import asking_lines
from llm_orc.cli.batch.options import batch_argument, store_option
from llm_orc.cli.batch.use_batch import use_batch
from llm_orc.cli.batch.values import batch_value, failure_lines, failure_values, state_words, waiting_words
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import json_option, write_json
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.formats.figures import count, dollars, moment

if TYPE_CHECKING:
    from llm_orc.app.batches.admin import BatchStatus


@define_command()
@batch_argument
@json_option
@store_option
def command(*, batch: str, as_json: bool, store: str | None) -> None:
    """Show how far a batch is, what failed, what it has cost and what it asks.  [default: the last batch]"""
    from llm_orc.formats.batch import spend_values

    status: BatchStatus = use_batch(store, batch, lambda batches, batch_id: batches.status(batch_id))
    if as_json:
        value = batch_value(status.batch)
        assert isinstance(value, dict)
        value = {**value, "in_flight": status.in_flight, "by_billing": spend_values(status.spend)}
        questions = row_asks_value(status.questions)
        write_json({**value, "failures": failure_values(status.failures), "questions": questions})
    else:
        write_data("\n".join(_status_lines(status, store)) + "\n")


def _status_lines(status: BatchStatus, store: str | None) -> list[str]:
    from llm_orc.formats.batch import spend_words

    batch = status.batch
    lines = [
        f"batch      {batch.batch_id} ({state_words(batch)})",
        f"ensemble   {batch.ensemble}",
        f"inputs     {batch.inputs}",
        f"started    {moment(batch.created_at)}",
        f"rows       {batch.total:,}: {', '.join(f'{n:,} {state}' for state, n in sorted(batch.counts.items()))}",
        f"in flight  {status.in_flight:,}",
        f"spent      {spend_words(status.spend) or 'nothing yet'}",
    ]
    if words := waiting_words(batch, time.time()):
        lines.append(f"waiting    {words}")
    limits = batch.limits
    if limits.max_cost_usd is not None:
        lines.append(f"max cost   {dollars(limits.max_cost_usd)}, of which {dollars(batch.spent_usd)} are spent")
    if limits.max_calls is not None:
        lines.append(f"max calls  {limits.max_calls:,}, of which {batch.calls:,} are made")
    if limits.max_total_tokens is not None:
        lines.append(f"max tokens {limits.max_total_tokens:,}, of which {batch.tokens:,} are used")
    if limits.row_max_cost_usd is not None:
        lines.append(f"each row   {dollars(limits.row_max_cost_usd)} at most")
    if limits.row_max_calls is not None:
        lines.append(f"each row   {count(limits.row_max_calls, 'call')} at most")
    if limits.row_max_total_tokens is not None:
        lines.append(f"each row   {limits.row_max_total_tokens:,} tokens at most")
    return [*lines, *failure_lines(status.failures), *asking_lines(status.questions, store)]
