"""`llm-orc runs answer`: answer what an agent asks with any of its choices, or in your own words."""

from __future__ import annotations

from typing import Unpack

from llm_orc.cli.runs.approvals.give import GivingOptions, give, giving_options
from llm_orc.cli.shell.approvals.said import Said, answer_options
from llm_orc.cli.shell.command_group import define_command


@define_command()
@giving_options
@answer_options
def command(*, choice: str | None, text: str | None, **options: Unpack[GivingOptions]) -> int:
    """Answer what AGENT of RUN asks, and go on with the run.  [default: the only one that waits]

    Without an answer it is asked for in the terminal.

    \b
    llm-orc runs answer
    llm-orc runs answer 20261103-09 publish --choice later
    llm-orc runs answer 20261103-09 title --text "On bees"
    """
    return give(Said(choice, text), options)
