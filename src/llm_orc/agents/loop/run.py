"""Run the rounds of a loop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llm_orc.agents.conditions.evaluate import is_true
from llm_orc.agents.ensemble.answer import failures_in_words, task_for
from llm_orc.agents.ensemble.given import filled_in, given_inputs
from llm_orc.agents.inputs.values import as_text, complete_inputs
from llm_orc.agents.loop.names import BODY, after_round
from llm_orc.agents.output import AgentOutput, Rounds
from llm_orc.agents.path import item_of
from llm_orc.agents.references.names import ROUND
from llm_orc.agents.references.syntax import parse_template
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.agents.turn import RoundValues
from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    ConditionUndecided,
    InputError,
    InternalError,
    LoopExhausted,
    ReferenceWithoutValue,
    RoundFailed,
)

if TYPE_CHECKING:
    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.loop.work import LoopWork
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.turn import ChildResult
    from llm_orc.jsontypes import JsonValue


@dataclass(frozen=True, slots=True)
class _Kept:
    """The answer of a round; `number` is what the rounds are compared by."""

    round: int
    answer: AgentOutput
    number: float | None = None


async def run_loop(context: AgentContext, work: LoopWork) -> AgentOutput:
    """Run rounds, and return the answer of the one that is kept.

    Raises `RoundFailed`, `LoopExhausted`, and `InputError` and `ReferenceWithoutValue` before the first round.
    """
    return await _Loop(context, work).run()


class _Loop:
    def __init__(self, context: AgentContext, work: LoopWork) -> None:
        if not isinstance(work.body, NestedEnsemble):
            raise InternalError(f"ensemble `{work.body}` of agent `{context.turn.path}` was not looked up")
        if context.turn.scope is None:
            raise InternalError(f"agent `{context.turn.path}` has no values of references")
        self._context, self._work, self._body, self._around = context, work, work.body, context.turn.scope
        self._task = task_for(context, work.body, work.task)
        self._inputs = given_inputs(work.body, work.inputs, context)
        self._kept: _Kept | None = None

    async def run(self) -> AgentOutput:
        """See `run_loop`."""
        after: Scope | None = None
        number, is_over = 0, False
        while not is_over and number < self._work.max_rounds:
            number += 1
            try:
                after = await self._run_round(number, after)
                is_over = self._is_over(after)
            except (ConditionUndecided, InputError, ReferenceWithoutValue, RoundFailed) as e:
                if self._work.is_earlier and isinstance(e, RoundFailed) and number < self._work.max_rounds:
                    self._context.notice(f"Round {number} failed: {e.message}")
                    after = None
                    continue
                message = f"round {number} of at most {self._work.max_rounds}: {e.message}"
                raise RoundFailed(message, hint=e.hint) from e
        if not is_over:
            self._exhausted(number)
        return self._answer(number, is_over=is_over)

    async def _run_round(self, number: int, before: Scope | None) -> Scope:
        """Run one round, and return the values of references to its agents."""
        if before is not None:
            self._carry(before)
        at = item_of(self._context.turn.path, number)
        self._context.turn.observer.round(number, self._work.max_rounds)
        values = RoundValues({ROUND: number}, before, self._around)
        result = await self._context.run_child(BODY, self._task, at, self._inputs, values)
        if result.scope is None:
            raise InternalError(f"the agents of `{at}` have no values of references")
        after = after_round(result.scope, values)
        self._keep(number, result, after)
        return after

    def _carry(self, before: Scope) -> None:
        """Take the task and the inputs of the next round from the answers of the round before."""
        if self._work.carry_task is not None:
            self._task = self._carried_task(self._work.carry_task, before)
        if self._work.carry:
            texts = {spec.name for spec in self._body.inputs if spec.type == "string"}
            carried: dict[str, JsonValue] = {
                name: filled_in(value, before, as_data=name not in texts)
                for name, value in self._work.carry.items()
            }
            inputs = {**self._inputs, **carried}
            self._inputs = complete_inputs(self._body.name, self._body.inputs, inputs, texts=True)

    def _carried_task(self, written: str, before: Scope) -> str:
        try:
            return as_text(filled_in(written, before))
        except ReferenceWithoutValue:
            if not self._work.is_earlier:
                raise
            return self._task

    def _keep(self, number: int, result: ChildResult, after: Scope) -> None:
        """Keep the answer of this round, if it has one, in place of an earlier one that is not better."""
        if result.has_failed:
            raise RoundFailed(f"it has no answer: {failures_in_words(result)}")
        if result.failures:
            self._context.notice(f"In round {number}: {failures_in_words(result)}")
        if result.answer is None:
            return
        if self._work.by is None:
            self._kept = _Kept(number, result.answer)
            return
        found = _number(self._work.by, after)
        if found is None and not after.is_rehearsal:
            self._context.notice(f"In round {number}, `{self._work.by}` is no number, so it doesn't count.")
        best = self._kept
        if best is None or best.number is None or (found is not None and found > best.number):
            self._kept = _Kept(number, result.answer, found)

    def _is_over(self, after: Scope) -> bool:
        if self._work.until is None:
            return False
        try:
            return is_true(self._work.until, after)
        except ConditionUndecided:
            if not after.is_rehearsal:
                raise
        self._context.notice("No canned answer decides `until`; this rehearsal runs one round.")
        return True

    def _exhausted(self, number: int) -> None:
        until = self._work.until
        if until is None:
            return
        times = "1 round" if number == 1 else f"{number} rounds"
        what = f"after {times}, `{until.strip()}` is still false"
        if self._work.on_exhausted == "fail" and not self._around.is_rehearsal:
            raise LoopExhausted(what, hint="The answers of all rounds are in the run: `llm-orc runs show last`.")
        self._context.notice(f"{what[0].upper()}{what[1:]}: this was the last one allowed (`max_rounds`).")

    def _answer(self, number: int, *, is_over: bool) -> AgentOutput:
        kept = self._kept
        ended = Rounds(number, "until" if is_over else "exhausted", kept.round if kept else None)
        if kept is None:
            self._context.notice("The answer of each round was left out by a condition.")
            return AgentOutput("", (), rounds=ended)
        return AgentOutput(kept.answer.text, (), kept.answer.data, rounds=ended)


def _number(by: str, after: Scope) -> float | None:
    (reference,) = parse_template(by).references
    try:
        value = after.data_of(reference)
    except ReferenceWithoutValue:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
