"""What a run shows on stderr while it lasts: nothing, plain lines, or a live view."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from llm_orc.cli.shell.output.streams import has_colour, is_terminal, moves_cursor

if TYPE_CHECKING:
    from llm_orc.engine.events import RunEvent


class View(Protocol):
    """Shows a run's events. `show` is called in the event loop: it returns at once and never raises."""

    wants_text: bool  # does it use deltas?

    def show(self, event: RunEvent) -> None: ...

    def close(self) -> None:
        """Restore the terminal; called once, however the run ended."""
        ...


class NoView:
    wants_text = False

    def show(self, event: RunEvent) -> None:
        return

    def close(self) -> None:
        return


def choose_view(*, quiet: bool, events_on_stdout: bool) -> View:
    """Return the view that stderr can show; none if the events themselves go to the same terminal."""
    if quiet or (events_on_stdout and is_terminal(sys.stdout)):
        return NoView()
    if not moves_cursor(sys.stderr):
        from llm_orc.cli.run.plain_view import PlainView

        return PlainView()
    from llm_orc.cli.run.live_view import LiveView

    return LiveView(sys.stderr, colour=has_colour(sys.stderr), stays=not is_terminal(sys.stdout))
