"""Where the agents of one run ask people: the person who is here, or anyone later, while the run waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.people.question import BY_TIME, Answer, WaitsForPerson, answered
from llm_orc.app.approvals.person import person_here
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import ApprovalAnswered, ApprovalAsked
from llm_orc.errors import ApprovalExpired
from llm_orc.formats.figures import minute

if TYPE_CHECKING:
    from llm_orc.agents.people.question import Question
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.app.wiring import App
    from llm_orc.engine.events import RecordedEvent
    from llm_orc.errors import StorageError
    from llm_orc.runs.journal import Journal
    from llm_orc.runs.state import RunState

_LOOK_S = 1.0  # between two looks for an answer from elsewhere


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person says here: one of the choices, or text where there are none."""

    choice: str | None = None
    text: str | None = None


AskHere = Callable[[ApprovalAsked], Awaitable[Reply | None]]
"""Asks the person who is here; returns the reply, or None: not now, and the run waits.

It is cancelled if the question is settled otherwise meanwhile.
"""


class Sink(Protocol):
    """What the desk needs of the sink of a run."""

    failure: StorageError | None

    async def commit(self, event: RecordedEvent) -> None: ...

    def shows(self, event: RecordedEvent) -> None: ...


class Desk:
    """Implements `agents.turn.AskPerson` for one attempt at a run.

    `journal` None: the run is not recorded, so it can't wait. `ask_here` None: nobody is here. `newly_asked` are
    the questions that were asked for the first time.
    """

    def __init__(
        self,
        app: App,
        run_id: str,
        state: RunState,
        sink: Sink,
        *,
        journal: Journal | None,
        ask_here: AskHere | None,
        tell: Callable[[str], None],
    ) -> None:
        self._app, self._run_id, self._state, self._sink = app, run_id, state, sink
        self._journal, self._ask_here, self._tell = journal, ask_here, tell
        self.newly_asked: list[ApprovalAsked] = []
        self._looked_at = 0.0

    async def __call__(self, turn: AgentTurn, question: Question) -> Answer:
        asked = self._state.questions.get(turn.path)
        is_new = asked is None or (asked.message, asked.choices) != (question.message, question.choices)
        if asked is None or is_new or turn.path in self._state.asked_in_vain:
            asked = await self._ask_first(turn, question)
        async with turn.idle():
            return await self._answer_to(asked)

    async def learn(self) -> bool:
        """Take over what was answered elsewhere. Returns whether there was something new."""
        is_new = False
        for event in await self._answers_elsewhere():
            asked = self._state.questions.get(event.agent)
            if asked is not None and event.agent not in self._state.answers and event.at >= asked.at:
                self._sink.shows(event)
                is_new = True
        return is_new

    async def _ask_first(self, turn: AgentTurn, question: Question) -> ApprovalAsked:
        now = self._app.clock.now()
        deadline = None if question.within_s is None else now + question.within_s
        asked = ApprovalAsked(now, turn.path, question.message, question.choices, deadline, question.otherwise)
        await self._sink.commit(asked)
        self.newly_asked.append(asked)
        return asked

    async def _answer_to(self, asked: ApprovalAsked) -> Answer:
        if (known := self._known(asked)) is not None:
            return known
        if asked.deadline is not None and asked.deadline <= self._app.clock.now():
            return await self._overdue(asked)
        if self._ask_here is None:
            if self._sink.failure is not None:  # what is not recorded can't be answered later
                raise self._sink.failure
            raise WaitsForPerson
        return await self._wait(asked, self._ask_here)

    async def _wait(self, asked: ApprovalAsked, ask_here: AskHere) -> Answer:
        """Wait for the person here, for an answer from elsewhere, and for the end of the time for it."""
        asking = asyncio.ensure_future(ask_here(asked))
        try:
            while not (await asyncio.wait({asking}, timeout=self._pause_s(asked)))[0]:
                await self._look()
                if (known := self._known(asked)) is not None:
                    self._tell(f"{asked.agent}: answered meanwhile by {known.by}: {known.words}")
                    return known
                if asked.deadline is not None and asked.deadline <= self._app.clock.now():
                    return await self._overdue(asked)
            reply = asking.result()
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({asking})
        if reply is None:
            raise WaitsForPerson
        return await self._record(asked, Answer(person_here(self._app), self._now(), reply.choice, reply.text))

    async def _look(self) -> None:
        """Learn what was answered elsewhere, once a second however many questions are open."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= _LOOK_S / 2:
            self._looked_at = now
            await self.learn()

    def _pause_s(self, asked: ApprovalAsked) -> float:
        left = _LOOK_S if asked.deadline is None else asked.deadline - self._now()
        return min(max(left, 0.0), _LOOK_S)

    async def _overdue(self, asked: ApprovalAsked) -> Answer:
        if asked.otherwise is not None:
            late = answered(asked.choices, asked.otherwise, BY_TIME, self._now())
            return await self._record(asked, late)
        assert asked.deadline is not None
        raise ApprovalExpired(
            f"nobody answered agent `{asked.agent}` until {minute(asked.deadline)}",
            hint=f"Ask again: `llm-orc resume {self._run_id}`.",
        )

    async def _record(self, asked: ApprovalAsked, answer: Answer) -> Answer:
        """Record the answer, and return it; or the one that somebody else has given in the same moment."""
        event = ApprovalAnswered(answer.at, asked.agent, answer.choice, answer.text, answer.by)
        if self._journal is None or self._sink.failure is not None:
            await self._sink.commit(event)
            return answer
        from llm_orc.runs.wire import encode_event  # noqa: PLC0415 - heavy: msgspec

        is_first = await asyncio.to_thread(self._journal.answer, self._run_id, asked.agent, encode_event(event))
        if is_first:
            self._sink.shows(event)
            return answer
        await self.learn()
        known = self._known(asked)
        if known is None:
            raise WaitsForPerson
        self._tell(f"{asked.agent}: {known.by} was first: {known.words}")
        return known

    def _known(self, asked: ApprovalAsked) -> Answer | None:
        given = self._state.answers.get(asked.agent)
        return None if given is None else Answer(given.by, given.at, given.choice, given.text)

    async def _answers_elsewhere(self) -> list[ApprovalAnswered]:
        if self._journal is None:
            return []
        from llm_orc.runs.wire import decode_event  # noqa: PLC0415 - heavy: msgspec

        found = await asyncio.to_thread(self._journal.answers, self._run_id)
        events = [event for kind, body in found for event in decode_event(kind, body)]
        return [event for event in events if isinstance(event, ApprovalAnswered)]

    def _now(self) -> float:
        return self._app.clock.now()
