"""The answer of a run as it arrives, for a client that can't take back what it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.path import is_top
from llm_orc.agents.work import ModelWork
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentSkipped,
    AgentStarted,
    AnswerRejected,
    ModelRetrying,
    ModelSwitched,
    PlanWaitStarted,
    RunStarted,
)
from llm_orc.errors import AnswerRestarted
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.engine.events import RunEvent
    from llm_orc.ensembles.ensemble import Ensemble

_VOID = (ModelRetrying, ModelSwitched, AnswerRejected, PlanWaitStarted)
"""After these the text so far is void: the agent begins again."""


class AnswerText:
    """The text of the agent that answers for the ensemble: first as far as it has come, in the end all of it."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self._agent = ""
        self._streams = False
        self._sent: list[str] = []

    def take(self, event: RunEvent) -> str:
        """Return what is to be sent now, perhaps nothing."""
        if isinstance(event, RunStarted):
            self._agent = event.answer
            self._streams = _streams(self._ensemble.agent(event.answer))
        if not self._streams:
            return ""
        if isinstance(event, AgentDelta):
            if event.agent != self._agent:
                return ""
            self._sent.append(event.text)
            return event.text
        if isinstance(event, _VOID) and event.agent == self._agent and self._sent:
            self._streams = False  # the whole answer decides what follows
        return ""

    def rest(self, answer: str) -> str:
        """Return what of the whole answer has not been sent. Raises `AnswerRestarted` if it began otherwise."""
        sent = "".join(self._sent)
        if not answer.startswith(sent):
            raise AnswerRestarted(
                "the model broke off in the middle of its answer and began another one",
                hint="Take what has arrived as void; the whole answer is in the record of the run.",
            )
        return answer[len(sent) :]


def _streams(spec: AgentSpec) -> bool:
    """Whether the pieces of its text are the answer: not where it may be sent back, is made of several, or
    may be said before a call of a tool.
    """
    work = spec.work
    if not isinstance(work, ModelWork) or spec.repeats:
        return False
    return work.answer_schema is None and not work.evidence and not work.tools


def progress_in(event: RunEvent, *, says_why: bool = True) -> str:
    """Return a line on how far a run is, for people; empty: the event says nothing of it.

    `says_why`: also why an agent has failed, which may name files of this machine.
    """
    match event:
        case AgentStarted() if is_top(event.agent):
            return f"{one_line(event.agent)} has started.\n"
        case AgentFinished() if is_top(event.agent):
            return f"{one_line(event.agent)} has answered ({event.duration_s:.1f} s).\n"
        case AgentFailed() if is_top(event.agent):
            why = f": {one_line(event.error.message)}" if says_why else "."
            return f"{one_line(event.agent)} has failed{why}\n"
        case AgentSkipped() if is_top(event.agent):
            return f"{one_line(event.agent)} is left out.\n"
        case _:
            return ""
