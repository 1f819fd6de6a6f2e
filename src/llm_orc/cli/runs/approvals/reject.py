"""`llm-orc runs reject`: answer `reject` to what an agent asks."""

from __future__ import annotations

from typing import Unpack

from llm_orc.cli.runs.approvals.give import GivingOptions, give, giving_options
from llm_orc.cli.shell.approvals.said import Said, note_option
from llm_orc.cli.shell.command_group import define_command


@define_command()
@giving_options
@note_option
def command(*, text: str | None, **options: Unpack[GivingOptions]) -> int:
    """Answer `reject` to what AGENT of RUN asks, and go on with the run.  [default: the only one that waits]

    The answer is recorded first, so that it counts whatever happens then. Of several people who answer at once,
    one does, and the others are told who.

    \b
    llm-orc runs reject 20261103-09
    llm-orc runs reject 20261103-09 panel/publish --note "the title is wrong"
    """
    return give(Said("reject", text), options)
