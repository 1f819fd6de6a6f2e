"""What a run shows on a terminal while it lasts: nothing, plain lines, or a live view with the answer."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

from llm_orc.cli.shell.output.destination import AnswerOnly
from llm_orc.cli.shell.output.streams import is_terminal, moves_cursor, note
from llm_orc.formats.format import EventFormat, ResultFormat

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from llm_orc.cli.shell.output.destination import Output
    from llm_orc.engine.events import RunEvent


class View(Protocol):
    """Shows a run's events. `show` is called in the event loop: it returns at once and never raises.

    `wants_text`: it uses deltas. `answered_by`: the agent whose whole answer it has written to standard output;
    None: it has written none.
    """

    wants_text: bool

    @property
    def answered_by(self) -> str | None: ...

    def show(self, event: RunEvent) -> None: ...

    def learn(self, event: RunEvent) -> None:
        """Take in what an earlier attempt at the run has shown; called before all others."""
        ...

    def tell(self, sentence: str) -> None:
        """Write a message that is not part of the run."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """Leave the terminal to a question; what happens meanwhile is shown afterwards."""
        ...

    def close(self) -> None:
        """Restore the terminal; called once, however the run ended."""
        ...


class NoView:
    wants_text = False
    answered_by: str | None = None

    def show(self, event: RunEvent) -> None:
        return

    def learn(self, event: RunEvent) -> None:
        return

    def tell(self, sentence: str) -> None:
        note(sentence)

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        return


def choose_view(output: Output) -> View:
    """Return the view that the terminal can show; none if the events themselves go to it.

    An answer for a terminal is shown there while it arrives, with --quiet too.
    """
    has_screen = moves_cursor(sys.stdout) and output.file is None
    if isinstance(output.form, EventFormat) and is_terminal(sys.stdout):
        return NoView()
    shows_answer = isinstance(output.form, AnswerOnly) and has_screen and not output.form.raw
    shows_progress = moves_cursor(sys.stderr) and not output.quiet
    if shows_answer or shows_progress:
        from llm_orc.cli.run.live_view import LiveView

        agent = output.form.agent if isinstance(output.form, AnswerOnly) else None
        live = LiveView(
            agent,
            shows_answer=shows_answer,
            shows_progress=shows_progress,
            leaves_lines=shows_progress and not (isinstance(output.form, ResultFormat) and has_screen),
        )
        return live if shows_progress or output.quiet else _Both(live, _plain_view())
    return NoView() if output.quiet else _plain_view()


def _plain_view() -> View:
    from llm_orc.cli.run.plain_view import PlainView

    return PlainView()


class _Both:
    """The answer in the terminal, and lines for the file that standard error goes to."""

    wants_text = True

    def __init__(self, answer: View, lines: View) -> None:
        self._answer, self._lines = answer, lines

    @property
    def answered_by(self) -> str | None:
        return self._answer.answered_by

    def show(self, event: RunEvent) -> None:
        self._answer.show(event)
        self._lines.show(event)

    def learn(self, event: RunEvent) -> None:
        self._answer.learn(event)
        self._lines.learn(event)

    def tell(self, sentence: str) -> None:
        self._lines.tell(sentence)

    def aside(self) -> AbstractContextManager[None]:
        return self._answer.aside()  # the lines go to a file

    def close(self) -> None:
        self._answer.close()
        self._lines.close()
