"""Show answers: word by word if one agent answers a person, otherwise each answer when it is finished."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.agents.path import is_top
from llm_orc.cli.run.plain_view import plain_words
from llm_orc.cli.shell.markdown.writer import answer_writer
from llm_orc.cli.shell.output.streams import Styled, is_terminal, moves_cursor, note
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentSkipped,
    AnswerRejected,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
    RunFinished,
    ToolFinished,
    ToolsAsked,
)
from llm_orc.formats.printable import one_line
from llm_orc.formats.quoting import quoted_text
from llm_orc.formats.sentences import output_figures
from llm_orc.formats.tools.words import ended_words
from llm_orc.runs.costs import CallsBefore
from llm_orc.runs.tools.used import ToolsUsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.cli.shell.output.background_writer import DataWriter
    from llm_orc.engine.events import RunEvent

_PATIENCE_S = 1.0  # before the waiting indicator appears


class ChatView:
    """Writes answers to `data`, everything else to stderr. One view per turn; `close` ends it."""

    def __init__(self, agents: int, data: DataWriter) -> None:
        self._agents, self._data = agents, data
        self._streams = agents == 1 and is_terminal(sys.stdout)
        self._answer = answer_writer(data)
        self._waiting = _Waiting()
        self.is_over = False  # every answer has arrived
        self._held: list[RunEvent] | None = None  # while a question has the terminal
        self._tools = ToolsUsed()
        self._calls = CallsBefore()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the terminal to a question; what happens meanwhile is shown afterwards."""
        self._waiting.stop()
        self._answer.stop()
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for event in held:
                self._show(event)

    def show(self, event: RunEvent) -> None:
        if not isinstance(event, AgentDelta):
            self._tools.apply(event)
            self._calls.apply(event)
        if not is_top(getattr(event, "agent", "")):
            return  # what runs within an agent
        if self._held is not None:
            self._held.append(event)
        else:
            self._show(event)

    def _show(self, event: RunEvent) -> None:
        match event:
            case AgentDelta():
                if self._streams:
                    self._waiting.stop()
                    self._answer.write(event.text)
            case ModelRetrying() | AnswerRejected() | ModelSwitched():
                was_begun = self._answer.has_begun
                self._note(plain_words(event))
                if was_begun:
                    note(Styled("The answer starts again:", "dim"))
            case AgentNotice() | AgentSkipped() | PlanWaitStarted() | PlanWaitEnded():
                self._note(plain_words(event))
            case ToolsAsked() | ToolFinished():
                self._tool_event(event)
            case AgentFinished():
                self._finished(event)
            case AgentFailed():
                self._failed(event)
            case RunFinished():
                self.is_over = True
            case _:
                pass

    def close(self) -> None:
        self._waiting.stop()
        self._answer.stop()

    def _finished(self, event: AgentFinished) -> None:
        self._waiting.stop()
        text = event.output.text
        if self._agents > 1:
            self._data.write(f"=== {event.agent}\n")
            text = "\n".join(quoted_text(text))
        self._answer.finish(text)
        figures = output_figures(event.output, self._calls.and_of(event.agent, event.output), event.duration_s)
        if event.output.model:
            figures.insert(0, event.output.model)
        note(Styled(one_line(" · ".join(figures)), "dim"))

    def _tool_event(self, event: ToolsAsked | ToolFinished) -> None:
        """What was written before a tool is called stays, and is no part of the answer."""
        if isinstance(event, ToolFinished):
            who = f"{event.agent}: " if self._agents > 1 else ""
            self._note(Styled(f"{who}{ended_words(self._tools.ended(event))}", "dim"))
        else:
            self._note()

    def _failed(self, event: AgentFailed) -> None:
        who = f"{event.agent}: " if self._agents > 1 else ""
        self._note(Styled("error", "red"), f": {who}{event.error.message}")
        if event.error.hint and event.error.code != "conversation_full":
            note(Styled("hint", "cyan"), f": {event.error.hint}")

    def _note(self, *words: str | Styled) -> None:
        self._waiting.stop()
        self._answer.stop()
        if any(words):
            note(*words)


class _Waiting:
    """Counts seconds in the last line of a terminal, until the first word comes."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._is_shown = False
        self._timer: asyncio.TimerHandle | None = None
        if moves_cursor(sys.stderr):
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._is_shown = False

    def _tick(self) -> None:
        sys.stderr.write(f"\r\x1b[K… {time.monotonic() - self._began:.0f} s")
        sys.stderr.flush()
        self._is_shown = True
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._tick)
