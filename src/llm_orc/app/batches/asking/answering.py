"""Answer what agents of rows ask, from any process: the answer is stored, and a worker goes on with the row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.approvals.answers import answer_in_time, answered_by, refuse_other
from llm_orc.app.batches.admin import no_batch_yet, open_batches
from llm_orc.dataclass import dataclass
from llm_orc.errors import AlreadyAnswered, ApprovalExpired, BatchNotFound, InputError, LlmOrcError
from llm_orc.formats.figures import count
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from llm_orc.app.approvals.answers import GivenAnswer
    from llm_orc.app.batches.admin import BatchAdmin
    from llm_orc.app.wiring import App
    from llm_orc.batches.questions import RowQuestion

_MOST = 10  # rows that an error names


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """Which questions are answered: of some rows, of all, or the only one; of one agent, if it is named."""

    batch: str
    rows: tuple[int, ...] = ()
    agent: str | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of answers. `too_late` has an error for each question that was answered before, or overdue.

    `has_workers`: a process works on the store, and goes on with the rows.
    """

    answered: tuple[RowQuestion, ...]
    too_late: tuple[LlmOrcError, ...]
    has_workers: bool


def chosen_questions(app: App, store: str | None, wanted: RowsWanted) -> tuple[RowQuestion, ...]:
    """Return what is to be answered, in the order of the rows.

    Raises `BatchNotFound`; `InputError` if nothing is asked, or if it is not clear what is meant; and
    `AlreadyAnswered` if somebody has answered it.
    """
    with open_batches(app, store) as opened:
        if opened is None:
            raise no_batch_yet()
        batch_id = opened.batches.find(wanted.batch)
        asked = opened.open_questions(batch_id, wanted.rows)
        of_agent = tuple(one for one in asked if wanted.agent is None or one.asked.agent == wanted.agent)
        _refuse_silent_rows(opened, batch_id, wanted, of_agent)
        if not of_agent:
            raise _nothing_asked(batch_id, wanted.agent, asked)
    if not wanted.rows and not wanted.all and len(of_agent) > 1:
        raise _several(batch_id, of_agent)
    if not wanted.all and wanted.agent is None:
        _refuse_several_agents(of_agent)
    return of_agent


def answer_rows(app: App, store: str | None, asked: Sequence[RowQuestion], given: GivenAnswer) -> Recorded:
    """Store the same answer to all questions: of several people who answer one at once, one succeeds.

    Nothing is stored if it is no answer to one of them: then it raises `InputError`.
    """
    now = app.clock.now()
    for one in asked:
        if one.asked.deadline is None or one.asked.deadline > now:
            refuse_other(one.asked, given)
    answered: list[RowQuestion] = []
    too_late: list[LlmOrcError] = []
    with open_batches(app, store) as opened:
        if opened is None:
            raise no_batch_yet()
        with opened.answering() as answer:
            for one in asked:
                try:
                    event, is_late = answer_in_time(app, one.asked, given, _without(one.batch_id))
                except ApprovalExpired as e:
                    too_late.append(e)
                    continue
                if answer(one.batch_id, one.number, event) and not is_late:
                    answered.append(one)
                else:
                    too_late.append(_known_answer(opened, one.batch_id, one.number, one.asked.agent))
        has_workers = bool(opened.workers(now))
    return Recorded(tuple(answered), tuple(too_late), has_workers)


def _without(batch_id: str) -> str:
    return f"The row goes on without an answer: llm-orc batch resume {batch_id}"


def _refuse_silent_rows(
    opened: BatchAdmin, batch_id: str, wanted: RowsWanted, asked: Sequence[RowQuestion]
) -> None:
    """Raise the error for a row that was named and asks nothing."""
    for number in wanted.rows:
        asking = [one for one in asked if one.number == number]
        if asking:
            continue
        row = opened.batches.row(batch_id, number)
        agents = [wanted.agent] if wanted.agent is not None else [*row.run_state.questions][-1:]  # the newest
        if agents and agents[0] is not None:
            raise _known_answer(opened, batch_id, number, agents[0])
        state = "waiting" if row.state == "asking" else row.state
        raise InputError(
            f"row {number} of batch `{batch_id}` asks nothing; it is `{state}`",
            hint=f"llm-orc batch status {batch_id}",
        )


def _known_answer(opened: BatchAdmin, batch_id: str, number: int, agent: str) -> LlmOrcError:
    """Return the error that says who has answered what this agent asked."""
    show = f"llm-orc runs show {batch_id}:{number}"
    found = opened.question(batch_id, number, agent)
    given = found.answered if found is not None else None
    try:
        given = given or opened.batches.row(batch_id, number).run_state.answers.get(agent)
    except BatchNotFound:
        given = None
    if given is None:
        return InputError(f"agent `{agent}` of row {number} asks nothing", hint=show)
    error = answered_by(agent, given, show)
    return AlreadyAnswered(f"row {number}: {error.message}", hint=error.hint)


def _nothing_asked(batch_id: str, agent: str | None, asked: Collection[RowQuestion]) -> InputError:
    if agent is not None and asked:
        agents = dict.fromkeys(str(one.asked.agent) for one in asked)
        return InputError(
            f"agent `{agent}` asks nothing in batch `{batch_id}`",
            hint=did_you_mean(agent, agents) or f"These ask: {', '.join(f'`{one}`' for one in agents)}.",
        )
    return InputError(f"no row of batch `{batch_id}` waits for an answer", hint=f"llm-orc batch status {batch_id}")


def _several(batch_id: str, asked: Sequence[RowQuestion]) -> InputError:
    rows = [*dict.fromkeys(one.number for one in asked)]
    named = ", ".join(map(str, rows[:_MOST])) + (", …" if len(rows) > _MOST else "")
    verb = "waits" if len(rows) == 1 else "wait"
    return InputError(
        f"{count(len(rows), 'row')} of batch `{batch_id}` {verb} for an answer: {named}",
        hint="Say which ones, by their numbers after BATCH, or `--all`.",
    )


def _refuse_several_agents(asked: Sequence[RowQuestion]) -> None:
    for one in asked:
        agents = [other.asked.agent for other in asked if other.number == one.number]
        if len(agents) > 1:
            listed = ", ".join(f"`{agent}`" for agent in agents)
            raise InputError(
                f"{len(agents)} agents of row {one.number} ask: {listed}", hint="Say which one, with `--agent`."
            )
