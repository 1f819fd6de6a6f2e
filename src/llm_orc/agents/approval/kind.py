"""The kind of agent that asks a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llm_orc.agents.approval.fields import APPROVAL_FIELDS, read_approval
from llm_orc.agents.approval.work import ApprovalWork
from llm_orc.agents.kind import Kind
from llm_orc.agents.people.question import BY_REHEARSAL, Question, answered
from llm_orc.agents.references.text import Text
from llm_orc.agents.work import Needs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.conditions.check import AnswerFields, Answers
    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec

_MESSAGE = "approval.message"


def _answer_fields(work: ApprovalWork) -> AnswerFields:
    return {"": work.choices, "choice": work.choices or (None,), "text": (), "by": (), "at": ()}


def _answers(work: ApprovalWork) -> Answers:
    return "unknown" if work.choices else "text"


def _message(spec: AgentSpec, work: ApprovalWork, scope: Scope, texts: Mapping[str, str]) -> str:
    return texts.get(_MESSAGE, work.message)


async def _run(context: AgentContext, work: ApprovalWork) -> AgentOutput:
    question = Question(context.prompt, work.choices, work.within_s, work.otherwise)
    return (await context.ask(question)).output


async def _rehearse(context: AgentContext, work: ApprovalWork) -> AgentOutput:
    """Take the first choice: nobody is asked."""
    words = work.choices[0] if work.choices else work.otherwise or "[canned answer of a person]"
    context.notice(f"Nobody is asked in a rehearsal: the answer is `{words}`.")
    return answered(work.choices, words, BY_REHEARSAL, time.time()).output


APPROVAL = Kind(
    "approval",
    ApprovalWork,
    fields=APPROVAL_FIELDS,
    read=read_approval,
    run=_run,
    rehearse=_rehearse,
    needs=lambda work: Needs(people=(work.message,)),
    texts=lambda work: (Text(_MESSAGE, work.message, reader="program"),),
    answers=_answers,
    answer_fields=_answer_fields,
    prompt=_message,
    takes_attachments=False,
)
