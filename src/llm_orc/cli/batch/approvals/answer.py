"""`llm-orc batch answer`: answer what rows ask with any choice, in your own words, or one after the other."""

from __future__ import annotations

from typing import Unpack

from llm_orc.cli.batch.approvals.give import RowOptions, give, row_options
from llm_orc.cli.shell.approvals.said import Said, answer_options
from llm_orc.cli.shell.command_group import define_command


@define_command()
@row_options
@answer_options
def command(*, choice: str | None, text: str | None, **options: Unpack[RowOptions]) -> int:
    """Answer what ROWs of BATCH ask.  [default: the last batch]

    Without an answer you are asked in the terminal, for one row after the other.

    \b
    llm-orc batch answer
    llm-orc batch answer last 3 --choice later
    llm-orc batch answer last --all --choice later
    """
    return give(Said(choice, text), options)
