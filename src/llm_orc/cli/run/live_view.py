"""The live view of a run in a terminal: the answer, block by block, and below it a line for each agent at work."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from llm_orc.cli.run.answer_output import indented, is_data
from llm_orc.cli.run.plain_view import plain_words
from llm_orc.cli.run.progress import RunProgress
from llm_orc.cli.shell.markdown.answer import ArrivingAnswer
from llm_orc.cli.shell.output.background_writer import TerminalWriter
from llm_orc.cli.shell.output.region import Region
from llm_orc.cli.shell.output.streams import Styled, has_colour, painted
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AnswerRejected,
    ModelRetrying,
    ModelSwitched,
    PlanWaitStarted,
    RunStarted,
    ToolFinished,
    ToolsAsked,
)
from llm_orc.formats.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.cli.run.progress import Line
    from llm_orc.cli.shell.markdown.render import Sheet
    from llm_orc.engine.events import RunEvent

_PAUSE_S = 1 / 10
_SHARE = 5  # painting takes at most one part in so many of the time
_IDLE_S = 1.0  # repaint only for the clocks
_NARROWEST = 20
_STARTS_AGAIN = "The answer starts again:"


class LiveView:
    """Everything is written to one terminal: finished blocks of the answer for good, and the rest below them.

    `agent` is whose answer is shown, None that of the ensemble. `leaves_lines`: when an agent has ended, its line
    stays, before or after the answer but never within it.
    """

    wants_text = True

    def __init__(self, agent: str | None, *, shows_answer: bool, shows_progress: bool, leaves_lines: bool) -> None:
        self.answered_by: str | None = None
        self._agent = agent
        self._shows_answer, self._shows_progress, self._leaves_lines = shows_answer, shows_progress, leaves_lines
        self._data = TerminalWriter(lambda: None)
        self._stream = sys.stdout if shows_answer else sys.stderr
        self._region = Region(self._stream, self._data.write if shows_answer else _to_stderr)
        self._colour = has_colour(self._stream)
        self._progress = RunProgress()
        self._answer = ArrivingAnswer()
        self._is_data = False  # what arrives is JSON
        self._held = ""  # the beginning of what arrives, while it may be that or Markdown
        self._left: set[str] = set()  # agents that have their line for good, or their answer
        self._has_left_lines = False
        self._above = ""  # to be written for good
        self._timer: asyncio.TimerHandle | None = None
        self._is_new = True
        self._painted_at = 0.0
        self._is_aside = False  # a question has the terminal

    def show(self, event: RunEvent) -> None:
        self._progress.apply(event)
        self._is_new = True
        match event:
            case RunStarted():
                self._start(event)
            case AgentDelta() if self._is_answering(event.agent):
                self._arrives(event.text)
            case AgentFinished() if self._is_answering(event.agent):
                self._answered(event)
            case ModelRetrying() | AnswerRejected() | ModelSwitched() | PlanWaitStarted() if self._is_answering(
                event.agent
            ):
                self._starts_again(event)
            case ToolsAsked() if self._is_answering(event.agent):
                self._drop()
                self._is_data = False
            case ToolFinished() if self._is_answering(event.agent):
                self._called(event)
            case AgentFailed() if self._is_answering(event.agent):
                self._drop()
                self._left.add(event.agent)  # why it failed is said at the end, instead of its answer
            case _:
                pass

    def learn(self, event: RunEvent) -> None:
        self.show(event)

    def tell(self, sentence: str) -> None:
        self._above += f"{printable(sentence)}\n"
        self._paint()

    @contextmanager
    def aside(self) -> Iterator[None]:
        self._is_aside = True
        self._region.close(self._taken())
        try:
            yield
        finally:
            self._is_aside = False
            self._paint()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._drop()
        if self._leaves_lines:
            self._leave_lines(is_after=self.answered_by is not None)
        self._region.close(self._taken())
        if self._data.failure is not None:
            self.answered_by = None

    def _is_answering(self, agent: str) -> bool:
        return self._shows_answer and agent == self._agent

    def _start(self, event: RunStarted) -> None:
        if self._agent is None:
            self._agent = event.answer or next(reversed(event.agents), "")
        if self._shows_answer:  # while the model thinks
            module = "llm_orc.cli.shell.markdown.render"
            threading.Thread(target=import_module, args=(module,), daemon=True).start()
        if self._timer is None:
            self._tick()

    def _arrives(self, text: str) -> None:
        if self._is_data:  # shown as a whole
            return
        is_first = not self._answer.is_begun
        if is_first:
            self._held += text
            decided = is_data(self._held)
            self._is_data = decided is True
            if decided is not False:
                return
            text, self._held = self._held, ""
        self._answer.feed(text)
        if is_first:
            self._begin_answer()
            self._paint()

    def _begin_answer(self) -> None:
        """Leave the lines of the agents that have ended above it."""
        if self._leaves_lines and self._agent not in self._left:
            self._leave_lines(is_after=False)
        self._left.add(self._agent or "")

    def _answered(self, event: AgentFinished) -> None:
        self._begin_answer()
        data = None if self._answer.is_begun else indented(event.output.text, event.output.data)
        self._above += data or self._answer.finish(event.output.text, self._sheet())
        self.answered_by = event.agent
        self._paint()

    def _starts_again(self, event: RunEvent) -> None:
        self._is_data, self._held = False, ""
        if self._answer.is_begun:
            self._drop()
            said = f"{plain_words(event)}\n{_STARTS_AGAIN}"
            self._above += painted([Styled(f"{said}\n", "dim")], self._stream)
            self._paint()

    def _called(self, event: ToolFinished) -> None:
        """Leave a line for a call of a tool among what the agent says."""
        words = self._progress.tool_words(event)
        self._above += painted([Styled(f"{words}\n", "dim")], self._stream)
        self._paint()

    def _drop(self) -> None:
        """What has arrived of an answer that doesn't go on stays where it is."""
        if self._answer.is_begun:
            self._above += self._answer.drop(self._sheet())
            if self.answered_by is None:
                self._left.discard(self._agent or "")

    def _leave_lines(self, *, is_after: bool) -> None:
        width, _ = self._region.size
        ended = self._progress.ended(max(width - 1, _NARROWEST), self._left)
        lines = "".join(f"{self._drawn(line)}\n" for line in ended.values())
        if lines and is_after:
            self._above += "\n"
        self._above += lines
        if lines and not is_after and self._shows_answer:
            self._above += "\n"
        self._left.update(ended)

    def _tick(self) -> None:
        began = time.monotonic()
        if self._is_new or began - self._painted_at >= _IDLE_S:
            self._paint()
        pause = max(_PAUSE_S, _SHARE * (time.monotonic() - began))
        self._timer = asyncio.get_running_loop().call_later(pause, self._tick)

    def _paint(self) -> None:
        if self._is_aside:
            return
        width, height = self._region.size
        self._is_new, self._painted_at = False, time.monotonic()
        answer: list[str] = []
        if self._answer.is_begun:
            sheet = self._sheet()
            self._above += self._answer.settled(sheet)
            progress = self._progress_lines(width, max(height // 2, 1))
            answer = self._answer.growing(sheet, height - len(progress) - 1)
            lines = [*answer, *([""] if answer and progress else []), *progress]
        else:
            lines = self._progress_lines(width, height)
        self._region.paint(lines[-height:], self._taken())

    def _progress_lines(self, width: int, height: int) -> list[str]:
        if not self._shows_progress:
            return []
        lines = self._progress.lines(max(width - 1, _NARROWEST), height, time.time(), self._left)
        return [self._drawn(line) for line in lines]

    def _drawn(self, line: Line) -> str:
        return painted([Styled(line.mark, line.style), f" {line.text}"], self._stream)

    def _taken(self) -> str:
        above, self._above = self._above, ""
        return above

    def _sheet(self) -> Sheet:
        from llm_orc.cli.shell.markdown.render import Sheet

        return Sheet(self._region.size[0], self._colour)


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
