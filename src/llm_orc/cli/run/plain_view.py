"""A run as plain lines, for logs and dumb terminals; for a large one, failures and every tenth of the progress."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.agents.path import is_of_item, is_top, list_of
from llm_orc.cli.run.progress import EACH_UP_TO
from llm_orc.cli.shell.output.streams import note
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentSkipped,
    AgentStarted,
    AnswerRejected,
    ApprovalAnswered,
    ApprovalAsked,
    ItemsStarted,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
    RoundStarted,
    RunStarted,
    ToolFinished,
)
from llm_orc.formats.figures import count, seconds
from llm_orc.formats.printable import one_line
from llm_orc.formats.sentences import output_figures, plan_wait_words, rejected_words, round_words, why_skipped
from llm_orc.formats.tools.words import ended_words
from llm_orc.runs.costs import CallsBefore
from llm_orc.runs.tools.used import ToolsUsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.engine.events import RunEvent


class _Tenths:
    """Tells every tenth of the agents, or of the items of one."""

    def __init__(self, what: str, total: int, ended: int = 0) -> None:
        self._what, self._total, self._ended, self._failed = what, total, ended, 0
        self._reported = ended * 10 // total

    def one_ended(self, *, failed: bool) -> str:
        """Return what to tell now; empty: nothing."""
        self._ended += 1
        self._failed += failed
        tenth = self._ended * 10 // self._total
        if tenth <= self._reported:
            return ""
        self._reported = tenth
        how = f", {self._failed:,} failed" if self._failed else ""
        return f"{self._ended:,} of {self._what} ended{how}"


class PlainView:
    wants_text = False
    answered_by: str | None = None

    def __init__(self) -> None:
        self._all: _Tenths | None = None  # where there are many agents
        self._lists: dict[str, _Tenths] = {}  # agents that run over many items
        self._resumed: tuple[str, ...] = ()
        self._tools = ToolsUsed()
        self._calls = CallsBefore()
        self._held: list[str] | None = None  # lines that wait until a question is answered

    def show(self, event: RunEvent) -> None:
        if isinstance(event, AgentDelta):
            return
        if isinstance(event, RunStarted):
            self._begin(event)
        if isinstance(event, ItemsStarted) and event.total > EACH_UP_TO:
            known = sum(list_of(path) == event.agent for path in self._resumed)
            items = f"{count(event.total, 'item')} of {event.agent}"
            self._lists[event.agent] = _Tenths(one_line(items), event.total, known)
        self._tools.apply(event)
        self._calls.apply(event)
        words = plain_words(event)
        if isinstance(event, ToolFinished):
            words = f"{one_line(event.agent)}: {ended_words(self._tools.ended(event))}"
        elif isinstance(event, AgentFinished):
            words = finished_words(event, self._calls)
        is_routine = isinstance(event, AgentStarted | RoundStarted | ToolFinished | AgentFinished | AgentSkipped)
        if words and not (is_routine and self._is_one_of_many(getattr(event, "agent", ""))):
            self.tell(words)
        if isinstance(event, AgentFinished | AgentFailed | AgentSkipped):
            around = self._all if is_top(event.agent) else self._lists.get(list_of(event.agent))
            if around is not None and (words := around.one_ended(failed=isinstance(event, AgentFailed))):
                self.tell(words)

    def learn(self, event: RunEvent) -> None:
        """What was told before is not told again."""
        if not isinstance(event, AgentDelta):
            self._tools.apply(event)
            self._calls.apply(event)

    def _begin(self, event: RunStarted) -> None:
        agents = len(event.agents)
        self._all = _Tenths(count(agents, "agent"), agents) if agents > EACH_UP_TO else None
        self._resumed = event.resumed

    def _is_one_of_many(self, agent: str) -> bool:
        return self._all is not None or (bool(self._lists) and is_of_item(agent, self._lists))

    def tell(self, sentence: str) -> None:
        if self._held is None:
            note(sentence)
        else:
            self._held.append(sentence)

    @contextmanager
    def aside(self) -> Iterator[None]:
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for line in held:
                note(line)

    def close(self) -> None:
        return


def plain_words(event: RunEvent) -> str:
    """Return the event as one printable line; empty if there is nothing to show."""
    words = ""
    match event:
        case RunStarted(resumed=resumed) if resumed:
            own = sum(is_top(path) for path in resumed)
            within = f", and {len(resumed) - own:,} within them" if own < len(resumed) else ""
            words = f"{event.ensemble}: {own:,} of {count(len(event.agents), 'agent')} already finished{within}"
        case AgentStarted():
            without = f", without {', '.join(event.without)}" if event.without else ""
            words = f"{event.agent}: started{without}"
        case ModelRetrying():
            words = f"{event.agent}: attempt {event.attempt} in {seconds(event.delay_s)}: {event.error.message}"
        case AnswerRejected():
            words = f"{event.agent}: {rejected_words(event)}"
        case ModelSwitched():
            way = f"over {event.access.provider}, {event.access.source} ({event.access.billing})"
            words = f"{event.agent}: now {event.model} {way}: {event.error.message}"
        case (
            PlanWaitStarted()
            | PlanWaitEnded()
            | ApprovalAsked()
            | ApprovalAnswered()
            | RoundStarted()
            | AgentNotice()
        ):
            words = f"{event.agent}: {_said(event)}"
        case AgentFailed():
            words = f"{event.agent}: failed: {event.error.message}"
        case AgentSkipped():
            words = f"{event.agent}: skipped: {why_skipped(event.reason, event.because)}"
        case _:
            pass
    return one_line(words)


def finished_words(event: AgentFinished, before: CallsBefore) -> str:
    """Return the end of an agent as one printable line, with what all its calls took."""
    figures = output_figures(event.output, before.and_of(event.agent, event.output), event.duration_s)
    return one_line(f"{event.agent}: finished, {', '.join(figures)}")


def _said(
    event: PlanWaitStarted | PlanWaitEnded | ApprovalAsked | ApprovalAnswered | RoundStarted | AgentNotice,
) -> str:
    match event:
        case PlanWaitStarted():
            return plan_wait_words(event, event.at)
        case PlanWaitEnded():
            return "the wait for its plan is over"
        case ApprovalAsked():
            return f"asks a person: {event.message}"
        case ApprovalAnswered():
            return f"answered by {event.by}: {event.choice or event.text}"
        case RoundStarted():
            return round_words(event)
        case AgentNotice():
            return event.message
