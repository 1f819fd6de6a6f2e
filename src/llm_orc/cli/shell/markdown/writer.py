"""Write answers to standard output while they arrive: as rendered Markdown in a terminal, else as they are."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Protocol

from llm_orc.cli.shell.markdown.answer import ArrivingAnswer
from llm_orc.cli.shell.output.region import Region
from llm_orc.cli.shell.output.streams import has_colour, moves_cursor
from llm_orc.formats.printable import PrintableStream, printable

if TYPE_CHECKING:
    from llm_orc.cli.shell.markdown.render import Sheet
    from llm_orc.cli.shell.output.background_writer import DataWriter

PAUSE_S = 0.08  # between two paintings
_SHARE = 5  # painting takes at most one part in so many of the time, however large a block grows


class AnswerWriter(Protocol):
    """Writes one answer after the other. Use it in an event loop; it never raises, `DataWriter` reports failures.

    `has_begun`: a part of the present answer stands on the screen.
    """

    @property
    def has_begun(self) -> bool: ...

    def write(self, piece: str) -> None:
        """Show the next piece of the answer, soon."""
        ...

    def finish(self, text: str) -> None:
        """The answer is complete, and this is all of it: show what is missing, and end the line."""
        ...

    def stop(self) -> None:
        """No more comes of this answer. What has arrived stays, and its last line is ended.

        Call it before something else is written to the terminal, and at the end.
        """
        ...


def answer_writer(data: DataWriter, *, is_raw: bool = False) -> AnswerWriter:
    """Return the writer that suits standard output. `is_raw`: Markdown stays as it is, in a terminal too."""
    if is_raw or not moves_cursor(sys.stdout):
        return RawAnswer(data)
    return RenderedAnswer(data)


class RawAnswer:
    """Text as it is, except for characters that would steer a terminal."""

    def __init__(self, data: DataWriter) -> None:
        self._data = data
        self._printable = PrintableStream()
        self.has_begun = False

    def write(self, piece: str) -> None:
        self._data.write(self._printable.feed(piece))
        self.has_begun = True

    def finish(self, text: str) -> None:
        if self.has_begun:
            self.stop()
        else:
            self._data.write(printable(text).rstrip("\n") + "\n")

    def stop(self) -> None:
        if self.has_begun:
            self._data.write(self._printable.rest() + "\n")
            self.has_begun = False


class RenderedAnswer:
    """Writes each block for good when it is complete, and paints the one that grows again and again."""

    def __init__(self, data: DataWriter) -> None:
        self._answer = ArrivingAnswer()
        self._region = Region(sys.stdout, data.write)
        self._timer: asyncio.TimerHandle | None = None
        self._is_new = False  # something has arrived since the last painting

    @property
    def has_begun(self) -> bool:
        return self._answer.is_begun

    def write(self, piece: str) -> None:
        self._answer.feed(piece)
        self._is_new = True
        if self._timer is None:
            self._paint()

    def finish(self, text: str) -> None:
        self._end(self._answer.finish(text, self._sheet()))

    def stop(self) -> None:
        self._end(self._answer.drop(self._sheet()) if self._answer.is_begun else "")

    def _paint(self) -> None:
        self._is_new, began = False, time.monotonic()
        _, height = self._region.size
        sheet = self._sheet()
        above = self._answer.settled(sheet)
        self._region.paint(self._answer.growing(sheet, height), above)
        pause = max(PAUSE_S, _SHARE * (time.monotonic() - began))
        self._timer = asyncio.get_running_loop().call_later(pause, self._next)

    def _next(self) -> None:
        self._timer = None
        if self._is_new:
            self._paint()

    def _end(self, rest: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_new = False
        self._region.close(rest)

    def _sheet(self) -> Sheet:
        from llm_orc.cli.shell.markdown.render import Sheet

        width, _ = self._region.size
        return Sheet(width, has_colour(sys.stdout))
