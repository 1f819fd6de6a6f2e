"""A run as plain lines, for logs and dumb terminals; for a large one, failures and every tenth of the progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.path import is_top
from llm_orc.cli.run.progress import EACH_UP_TO
from llm_orc.cli.shell.output.streams import note
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentSkipped,
    AgentStarted,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
    RunStarted,
)
from llm_orc.formats.figures import count, seconds
from llm_orc.formats.printable import one_line
from llm_orc.formats.sentences import output_figures, plan_wait_words, why_skipped

if TYPE_CHECKING:
    from llm_orc.engine.events import RunEvent


class PlainView:
    wants_text = False
    answered_by: str | None = None

    def __init__(self) -> None:
        self._agents = 0
        self._ended = 0
        self._reported = 0

    def show(self, event: RunEvent) -> None:
        if isinstance(event, AgentDelta):
            return
        if isinstance(event, RunStarted):
            self._agents, self._ended = len(event.agents), 0
        words = plain_words(event)
        is_routine = isinstance(event, AgentStarted | AgentFinished | AgentSkipped)
        if words and (self._agents <= EACH_UP_TO or not is_routine):
            note(words)
        if isinstance(event, AgentFinished | AgentFailed | AgentSkipped) and is_top(event.agent):
            self._ended += 1
            self._report_part()

    def _report_part(self) -> None:
        tenth = self._ended * 10 // self._agents if self._agents else 0
        if self._agents > EACH_UP_TO and tenth > self._reported:
            self._reported = tenth
            note(f"{self._ended:,} of {count(self._agents, 'agent')} ended")

    def tell(self, sentence: str) -> None:
        note(sentence)

    def close(self) -> None:
        return


def plain_words(event: RunEvent) -> str:
    """Return the event as one printable line; empty if there is nothing to show."""
    words = ""
    match event:
        case RunStarted(resumed=resumed) if resumed:
            words = f"{event.ensemble}: {len(resumed)} of {count(len(event.agents), 'agent')} already finished"
        case AgentStarted():
            words = f"{event.agent}: started"
        case ModelRetrying():
            words = f"{event.agent}: attempt {event.attempt} in {seconds(event.delay_s)}: {event.error.message}"
        case ModelSwitched():
            way = f"over {event.access.provider}, {event.access.source} ({event.access.billing})"
            words = f"{event.agent}: now {event.model} {way}: {event.error.message}"
        case PlanWaitStarted() | PlanWaitEnded() | AgentNotice():
            words = f"{event.agent}: {_said(event)}"
        case AgentFinished():
            words = f"{event.agent}: finished, {', '.join(output_figures(event.output, event.duration_s))}"
        case AgentFailed():
            words = f"{event.agent}: failed: {event.error.message}"
        case AgentSkipped():
            words = f"{event.agent}: skipped: {why_skipped(event.reason, event.because)}"
        case _:
            pass
    return one_line(words)


def _said(event: PlanWaitStarted | PlanWaitEnded | AgentNotice) -> str:
    match event:
        case PlanWaitStarted():
            return plan_wait_words(event, event.at)
        case PlanWaitEnded():
            return "the wait for its plan is over"
        case AgentNotice():
            return event.message
