"""Where the agents of one row ask people: the question and its answer are in the store, and the row waits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dbos import error as engine_errors

from llm_orc.agents.people.question import BY_TIME, Answer, WaitsForPerson, answered
from llm_orc.batches.batch import parse_workflow_id
from llm_orc.batches.database import in_store
from llm_orc.batches.questions import answer_question, find_question, keep_question
from llm_orc.engine.events import ApprovalAnswered, ApprovalAsked
from llm_orc.errors import ApprovalExpired
from llm_orc.formats.figures import minute

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from llm_orc.agents.people.question import Question
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.batches.parts import RowExecution
    from llm_orc.batches.questions import Enqueue
    from llm_orc.batches.workers.steps.sinks import OutcomeSink
    from llm_orc.engine.shared import Clock


class RowDesk:
    """Asks for one execution of a row. `told` are the questions that the record has from earlier attempts."""

    def __init__(
        self,
        engine: sa.Engine,
        of: RowExecution,
        told: Mapping[str, ApprovalAsked],
        clock: Clock,
        enqueue: Enqueue,
    ) -> None:
        row = parse_workflow_id(of.workflow)
        assert row is not None
        self._engine, self._of, self._row = engine, of, row
        self._told, self._clock, self._enqueue = told, clock, enqueue

    async def ask(self, watch: OutcomeSink, turn: AgentTurn, question: Question) -> Answer:
        """See `agents.turn.AskPerson`. `watch` gets what is asked and answered.

        Raises `DBOSWorkflowConflictIDError` if another execution has the row, and errors of the store.
        """
        asked, given = await self._known(turn.path)
        if asked is None or (asked.message, asked.choices) != (question.message, question.choices):
            asked, given = await self._ask_first(turn, question), None
        if self._told.get(turn.path) != asked:
            watch.keep(asked)
        if given is None and asked.deadline is not None and asked.deadline <= self._clock.now():
            given = await self._overdue(asked)
        if given is None:
            raise WaitsForPerson
        watch.keep(given)
        return Answer(given.by, given.at, given.choice, given.text)

    async def _known(self, agent: str) -> tuple[ApprovalAsked | None, ApprovalAnswered | None]:
        row = self._row
        found = await in_store(partial(find_question, self._engine, row.batch_id, row.number, agent))
        return (None, None) if found is None else (found.asked, found.answered)

    async def _ask_first(self, turn: AgentTurn, question: Question) -> ApprovalAsked:
        now = self._clock.now()
        deadline = None if question.within_s is None else now + question.within_s
        asked = ApprovalAsked(now, turn.path, question.message, question.choices, deadline, question.otherwise)
        if not await in_store(partial(keep_question, self._engine, self._of, asked)):
            raise engine_errors.DBOSWorkflowConflictIDError(self._of.workflow)
        return asked

    async def _overdue(self, asked: ApprovalAsked) -> ApprovalAnswered | None:
        """Return the answer of the time, or the one that somebody has given in the same moment."""
        row = self._row
        if asked.otherwise is None:
            assert asked.deadline is not None
            raise ApprovalExpired(
                f"nobody answered agent `{asked.agent}` until {minute(asked.deadline)}",
                hint=f"Ask again: `llm-orc batch retry-failed {row.batch_id}`.",
            )
        answer = answered(asked.choices, asked.otherwise, BY_TIME, self._clock.now())
        event = ApprovalAnswered(answer.at, asked.agent, answer.choice, answer.text, answer.by)
        work = partial(answer_question, self._engine, row.batch_id, row.number, event, self._enqueue)
        if await in_store(work):
            return event
        _, given = await self._known(asked.agent)
        return given
