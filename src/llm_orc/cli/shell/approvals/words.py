"""What an agent asks, and the commands that answer it, as lines for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llm_orc.app.approvals.commands import answer_commands
from llm_orc.cli.shell.output.streams import Styled, note
from llm_orc.formats.figures import minute, relative
from llm_orc.formats.printable import first_words, one_line, printable

if TYPE_CHECKING:
    from llm_orc.engine.events import ApprovalAsked
    from llm_orc.runs.results import RunResult


def note_question(asked: ApprovalAsked) -> None:
    """Show what is asked. What agents have written stands behind a bar, which none of its lines can leave."""
    note("")
    note(Styled(f"{one_line(asked.agent)} asks:", "bold"))
    for line in printable(asked.message).splitlines():
        note(Styled("│ ", "cyan"), line)
    if (until := until_words(asked)) is not None:
        note(Styled(until, "dim"))


def until_words(asked: ApprovalAsked) -> str | None:
    """Say until when it can be answered, and what happens then; None: there is no limit."""
    if asked.deadline is None:
        return None
    then = "the agent fails" if asked.otherwise is None else f"the answer is `{one_line(asked.otherwise)}`"
    return f"Without an answer by {minute(asked.deadline)} ({relative(asked.deadline, time.time())}), {then}."


def note_waiting(result: RunResult) -> None:
    """Say what a run waits for, in a line for each agent, and how to answer."""
    waiting = [agent for agent in result.waiting if agent.asked is not None]
    for agent in waiting:
        asked = agent.asked
        assert asked is not None
        given = agent.answered
        if given is not None:
            said = given.choice if given.choice is not None else given.text or ""
            note(f"Answered: `{agent.name}` by {given.by}: {first_words(said)}")
            note(f"Go on with: llm-orc resume {result.run_id}")
            continue
        note(f"Waits for an answer: `{agent.name}`: {first_words(asked.message)}")
        if (until := until_words(asked)) is not None:
            note(until)
        commands = answer_commands(result.run_id, asked, names_agent=len(waiting) > 1)
        note(f"Answer with: {'   or: '.join(commands)}")
