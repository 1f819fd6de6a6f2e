"""What rows of a batch ask, and the commands that answer it, as lines for people."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.app.approvals.commands import answer_commands, commands_for_all
from llm_orc.cli.shell.approvals.words import until_words
from llm_orc.formats.figures import count
from llm_orc.formats.printable import first_words, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.batches.questions import RowQuestion

_SHOWN = 3  # questions


def asking_lines(asked: Sequence[RowQuestion], store: str | None) -> Iterator[str]:
    """Yield how many rows wait for an answer, what the first ones ask, and the commands that answer."""
    rows = [*dict.fromkeys(one.number for one in asked)]
    if not rows:
        return
    verb = "waits" if len(rows) == 1 else "wait"
    yield f"{count(len(rows), 'row')} {verb} for an answer."
    more = f" --store {quote(store)}" if store else ""
    for one in asked[:_SHOWN]:
        label = f" ({one_line(one.label)})" if one.label else ""
        yield f"Row {one.number}{label}, {one_line(one.asked.agent)}: {first_words(one.asked.message)}"
        if (until := until_words(one.asked)) is not None:
            yield until
        is_alone = sum(other.number == one.number for other in asked) == 1
        commands = answer_commands(f"{one.batch_id}:{one.number}", one.asked, names_agent=not is_alone)
        yield f"Answer with: {'   or: '.join(f'{command}{more}' for command in commands)}"
    if len(rows) > 1:
        first = asked[0]
        if all(one.asked.choices == first.asked.choices for one in asked):
            commands = commands_for_all(first.batch_id, first.asked, more)
            yield f"All at once: {'   or: '.join(commands)}"
        yield f"One after the other: llm-orc batch answer {first.batch_id}{more}"
