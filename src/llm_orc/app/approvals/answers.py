"""What people answer: what counts as an answer, until when, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.people.question import BY_TIME, Answer, answered
from llm_orc.app.approvals.person import person_here
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import ApprovalAnswered
from llm_orc.errors import AlreadyAnswered, ApprovalExpired, InputError
from llm_orc.formats.figures import minute

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.engine.events import ApprovalAsked


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What a person answers: one of the choices, with `text` as a note on it, or `text` alone.

    `by` None: the user of this process.
    """

    choice: str | None = None
    text: str | None = None
    by: str | None = None


def answer_in_time(
    app: App, asked: ApprovalAsked, given: GivenAnswer, if_expired: str
) -> tuple[ApprovalAnswered, bool]:
    """Return the answer, and whether the time for it had passed: then it is what the agent says for that.

    Raises `InputError` for what is none of the choices; and `ApprovalExpired`, with the hint `if_expired`, if the
    time has passed and the agent says nothing for that.
    """
    answer = Answer(given.by or person_here(app), app.clock.now(), given.choice, given.text)
    is_late = asked.deadline is not None and asked.deadline <= answer.at
    if is_late:
        answer = _otherwise(asked, answer.at, if_expired)
    else:
        refuse_other(asked, given)
    return ApprovalAnswered(answer.at, asked.agent, answer.choice, answer.text, answer.by), is_late


def refuse_other(asked: ApprovalAsked, given: GivenAnswer) -> None:
    """Raise `InputError` for what is no answer to this question."""
    if not asked.choices:
        if given.choice is not None or not (given.text or "").strip():
            raise InputError(
                f"agent `{asked.agent}` asks for an answer in your own words", hint="Give it with `--text`."
            )
        return
    if given.choice not in asked.choices:
        listed = ", ".join(f"`{choice}`" for choice in asked.choices)
        said = "none is given" if given.choice is None else f"`{given.choice}` is none of them"
        raise InputError(
            f"agent `{asked.agent}` gives a choice of {listed}; {said}", hint="Choose with `--choice`."
        )


def answered_by(agent: str, given: ApprovalAnswered, show: str) -> AlreadyAnswered:
    """Return the error for an answer that comes after another one; `show` is the command that shows it."""
    said = given.choice if given.choice is not None else given.text or ""
    who = "has its answer, as the time had passed" if given.by == BY_TIME else f"was answered by {given.by}"
    return AlreadyAnswered(f"agent `{agent}` {who} at {minute(given.at)}: {said[:80]}", hint=show)


def _otherwise(asked: ApprovalAsked, now: float, if_expired: str) -> Answer:
    if asked.otherwise is not None:
        return answered(asked.choices, asked.otherwise, BY_TIME, now)
    assert asked.deadline is not None
    raise ApprovalExpired(
        f"agent `{asked.agent}` could be answered until {minute(asked.deadline)}", hint=if_expired
    )
