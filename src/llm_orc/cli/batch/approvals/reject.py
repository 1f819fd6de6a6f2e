"""`llm-orc batch reject`: answer `reject` to what rows ask."""

from __future__ import annotations

from typing import Unpack

from llm_orc.cli.batch.approvals.give import RowOptions, give, row_options
from llm_orc.cli.shell.approvals.said import Said, note_option
from llm_orc.cli.shell.command_group import define_command


@define_command()
@row_options
@note_option
def command(*, text: str | None, **options: Unpack[RowOptions]) -> int:
    """Answer `reject` to what ROWs of BATCH ask.  [default: the last batch, and the only row that waits]

    A process that works on the batch continues the rows; without one, `batch resume` does.

    \b
    llm-orc batch reject last 3 8
    llm-orc batch reject last --all --note "the title is wrong"
    """
    return give(Said("reject", text), options)
