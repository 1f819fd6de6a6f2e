"""Ask an agent several times, and take the answer that most agree on, or that a judge chooses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.judging.judge import JUDGE, schema_of_judge, task_of_judge
from llm_orc.agents.output import AgentOutput, SampleCounts
from llm_orc.agents.repeats.votes import Votes, vote_of
from llm_orc.errors import InternalError, ItemFailed, LlmOrcError

if TYPE_CHECKING:
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.samples.spec import Samples
    from llm_orc.agents.turn import AgentTurn, ChildRunner


async def run_samples(turn: AgentTurn, samples: Samples) -> AgentOutput:
    """Return the first of the answers that most agree on, or the one that the judge chooses.

    Raises `ItemFailed` if no answer has a vote, and if the judge chooses none.
    """
    if turn.scope is None or turn.children is None:
        raise InternalError(f"nothing can run within agent `{turn.path}`")
    turn.observer.items(samples.max)
    series = _Samples(samples, turn.scope)
    once = replace(turn, agent=replace(turn.agent, samples=None, save_as=None))
    await turn.children.repeat(once, series)
    if samples.judge is not None and series.answers:
        first = await _chosen(once, turn.children, turn.scope, series)
        counts = SampleCounts(series.votes.asked, series.votes.agreed_on(series.voted[first]))
        return replace(series.answers[first], calls=(), samples=counts)
    voted = {number: vote for number, vote in series.voted.items() if series.votes.has_most(vote)}
    if not voted and series.answers and turn.scope.is_rehearsal:
        turn.observer.notice(f"No canned answer has the field `{samples.vote}`; this rehearsal takes the first.")
        counts = SampleCounts(series.votes.asked, 0)
        return replace(series.answers[min(series.answers)], calls=(), samples=counts)
    if not voted:
        raise _without_vote(turn, samples, series)
    first = min(voted)
    counts = SampleCounts(series.votes.asked, series.votes.agreed_on(voted[first]))
    return replace(series.answers[first], calls=(), samples=counts)


async def _chosen(turn: AgentTurn, children: ChildRunner, scope: Scope, series: _Samples) -> int:
    """Return the number of the sample that the judge chooses; nobody is asked if all say the same.

    It is a sample's number, so that what it has chosen stays the same if others are asked again.
    """
    differing: dict[str, int] = {}
    for number, vote in sorted(series.voted.items()):
        differing.setdefault(vote, number)
    if len(differing) == 1:
        return min(series.voted)
    shown = {number + 1: series.answers[number].text for number in differing.values()}
    task = task_of_judge(*children.asked(turn), shown)
    result = await children.run(JUDGE, task, turn.path, schema=schema_of_judge(shown))
    said = result.answer.data if result.answer is not None else None
    best = said.get("best") if isinstance(said, dict) else None
    if isinstance(best, int) and best in shown:
        return best - 1
    if scope.is_rehearsal:
        return min(series.voted)
    why = "; ".join(result.failures.values()) or f"it named answer {best}, which there is not"
    raise ItemFailed(f"the judge of agent `{turn.path}` chose none of its answers: {why}")


class _Samples:
    """See `agents.turn.Series`."""

    at_once = None
    is_decided = False

    def __init__(self, samples: Samples, scope: Scope) -> None:
        self.votes = Votes(samples)
        self.answers: dict[int, AgentOutput] = {}
        self.voted: dict[int, str] = {}
        self.failure: LlmOrcError | None = None
        self._vote, self._scope = samples.vote, scope
        self._under_way = 0

    def examples(self) -> list[Scope]:
        return [self._scope, self._scope]

    def next(self) -> Scope | None:
        if self._under_way >= self.votes.needed:  # more could turn out to be too many
            return None
        self._under_way += 1
        return self._scope

    def ended(self, number: int, how: AgentOutput | LlmOrcError) -> None:
        self._under_way -= 1
        vote = None
        if isinstance(how, AgentOutput):
            self.answers[number] = how
            vote = vote_of(how, self._vote)
        else:
            self.failure = self.failure or how
        self.votes.add(vote)
        if vote is not None:
            self.voted[number] = vote


def _without_vote(turn: AgentTurn, samples: Samples, series: _Samples) -> ItemFailed:
    if series.answers:
        return ItemFailed(
            f"no answer of agent `{turn.path}` has the field `{samples.vote}` that `vote` compares",
            hint="Ask for it with `output_format: json` and its name in the prompt, or use `vote: whole`.",
        )
    cause = series.failure
    error = ItemFailed(
        f"no sample of agent `{turn.path}` has an answer: {cause.message if cause else 'none was asked'}",
        hint=cause.hint if cause else None,
    )
    error.__cause__ = cause
    return error
