"""Answers by a schema: checked by the schema itself, and sent back with what is wrong up to `repairs` times.

Quotes in them are checked by their sources in the same way.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from llm_orc.agents.evidence.check import EvidenceCheck, without
from llm_orc.agents.output import EvidenceCounts
from llm_orc.agents.references.scope import without_fence
from llm_orc.agents.schema.canned import canned_answer
from llm_orc.agents.turn import ForwardingObserver
from llm_orc.errors import AnswerInvalid
from llm_orc.providers.structured.restore import without_nulls
from llm_orc.schemas.validate import checker_for

if TYPE_CHECKING:
    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.evidence.check import Checked
    from llm_orc.agents.model.dialogue import Dialogue
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.work import ModelWork
    from llm_orc.auth.access import Access
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema


class _NotAsAsked(Exception):
    """What is wrong with an answer, as sentences."""

    mistake = "does not satisfy its schema"
    hint = "Say in the prompt what belongs into each field, use a stronger model, or raise `repairs`."

    def __init__(self, *complaints: str) -> None:
        super().__init__(*complaints)
        self.complaints = complaints

    @property
    def for_the_model(self) -> str:
        """What the model is told."""
        return (
            f"Your answer does not satisfy the JSON Schema that was asked for:\n{_listed(self.complaints)}\n"
            "Answer again with the whole JSON document, corrected, and with nothing else."
        )


class _WithoutEvidence(_NotAsAsked):
    """The answer satisfies its schema, and quotes what its sources don't have; `output` is the answer as such."""

    mistake = "has quotes that do not occur in their source"
    hint = (
        "Ask for short quotes, copied word for word, use a stronger model, or raise `repairs`. `otherwise: drop`"
        " keeps the rest of a list."
    )

    def __init__(self, checked: Checked, output: AgentOutput) -> None:
        super().__init__(*checked.complaints)
        self.checked, self.output = checked, output

    @property
    def for_the_model(self) -> str:
        return (
            f"Your answer has quotes that do not occur in their source:\n{_listed(self.complaints)}\n"
            "Copy each quote from its source word for word, as one piece, with nothing left out, added or changed."
            " Leave out what you can't quote. Answer again with the whole JSON document, and with nothing else."
        )


async def ask_by_schema(context: AgentContext, work: ModelWork, schema: Schema, dialogue: Dialogue) -> AgentOutput:
    """Return the answer with its data. Raises `AnswerInvalid` after the last repair."""
    turn = context.turn
    evidence = EvidenceCheck(work.evidence, turn.texts)
    prompt, observer = turn.prompt, None
    repairs = 0
    while True:
        output = await dialogue.ask(prompt, observer)
        try:
            return _with_evidence(_accepted(output, schema, repairs), evidence)
        except _NotAsAsked as e:
            wrong = e
        may_repair = repairs < work.repairs and not _is_cut(output)
        if not may_repair and (rest := _rest(wrong, schema, context)) is not None:
            return rest
        error = _invalid(turn.path, wrong, output, repairs)
        if output.last is not None:
            turn.observer.rejected(output.last, error, repairs + 2 if may_repair else 0)
        if not may_repair:
            raise error
        repairs += 1
        prompt = wrong.for_the_model
        observer = _Repairing(turn.observer)


async def rehearse_by_schema(context: AgentContext, schema: Schema) -> AgentOutput:
    """Return the canned answer; where it doesn't satisfy the schema, an example that does, if there is one."""
    output = await context.call_model()
    try:
        return _accepted(output, schema, 0)
    except _NotAsAsked:
        pass
    canned = canned_answer(schema)
    return output if canned is None else replace(output, text=canned[0], data=canned[1])


def _accepted(output: AgentOutput, schema: Schema, repairs: int) -> AgentOutput:
    """Return the output with its data. Raises `_NotAsAsked`."""
    text = without_fence(output.text)
    data = _read(text)
    checker = checker_for(schema)
    complaints = checker.complaints(data)
    if complaints and output.is_enforced:
        pruned = without_nulls(data, schema)
        if pruned != data:
            data, complaints = pruned, checker.complaints(pruned)
            text = json.dumps(data, ensure_ascii=False)
    if complaints:
        raise _NotAsAsked(*complaints)
    label = f"repaired {repairs}" if repairs else "enforced" if output.is_enforced else "prompted"
    return replace(output, text=text.strip(), data=data, validation=label)


def _with_evidence(output: AgentOutput, evidence: EvidenceCheck) -> AgentOutput:
    """Return the output with the number of its quotes. Raises `_WithoutEvidence`."""
    if not evidence:
        return output
    checked = evidence.check(output.data)
    if checked.unfounded:
        raise _WithoutEvidence(checked, output)
    return replace(output, evidence=EvidenceCounts(checked.quotes))


def _rest(wrong: _NotAsAsked, schema: Schema, context: AgentContext) -> AgentOutput | None:
    """Return the answer without the items whose quotes are wrong; None: they may not be dropped."""
    if not isinstance(wrong, _WithoutEvidence) or not wrong.checked.may_drop:
        return None
    unfounded = wrong.checked.unfounded
    data = without(wrong.output.data, unfounded)
    if checker_for(schema).complaints(data):
        return None
    context.notice(f"Dropped what has no evidence: {_shown(wrong.complaints)}.")
    counts = EvidenceCounts(wrong.checked.quotes, len(unfounded))
    return replace(wrong.output, text=json.dumps(data, ensure_ascii=False), data=data, evidence=counts)


def _read(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise _NotAsAsked("it is nested too deep") from None
    except UnicodeEncodeError:
        raise _NotAsAsked("it has half of a UTF-16 pair, which is no text") from None
    except ValueError as e:
        raise _NotAsAsked(f"it is not JSON: {str(e)[:120]}") from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _is_cut(output: AgentOutput) -> bool:
    return output.last is not None and output.last.stop_reason == "max_tokens"


def _invalid(agent: str, wrong: _NotAsAsked, output: AgentOutput, repairs: int) -> AnswerInvalid:
    shown = _shown(wrong.complaints)
    if _is_cut(output):
        return AnswerInvalid(
            f"the answer of agent `{agent}` was cut off at `max_tokens` and {wrong.mistake}: {shown}",
            hint="Raise the agent's `max_tokens`, or ask for less.",
        )
    times = "" if not repairs else " after one repair" if repairs == 1 else f" after {repairs} repairs"
    return AnswerInvalid(f"the answer of agent `{agent}` {wrong.mistake}{times}: {shown}", hint=wrong.hint)


def _shown(complaints: tuple[str, ...]) -> str:
    return "; ".join(complaints[:3]) + ("; …" if len(complaints) > 3 else "")


def _listed(complaints: tuple[str, ...]) -> str:
    return "\n".join(f"- {complaint}" for complaint in complaints)


class _Repairing(ForwardingObserver):
    """Watches while an answer is repaired: the model has been named already."""

    def calling(self, model: str, access: Access) -> None:
        return
