"""Ask an agent several times, and take the answer that most agree on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.output import AgentOutput, SampleCounts
from llm_orc.agents.repeats.votes import Votes, vote_of
from llm_orc.errors import InternalError, ItemFailed, LlmOrcError

if TYPE_CHECKING:
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.samples.spec import Samples
    from llm_orc.agents.turn import AgentTurn


async def run_samples(turn: AgentTurn, samples: Samples) -> AgentOutput:
    """Return the first of the answers that most agree on. Raises `ItemFailed` if no answer has a vote."""
    if turn.scope is None or turn.children is None:
        raise InternalError(f"nothing can run within agent `{turn.path}`")
    turn.observer.items(samples.max)
    series = _Samples(samples, turn.scope)
    await turn.children.repeat(replace(turn, agent=replace(turn.agent, samples=None, save_as=None)), series)
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


class _Samples:
    """See `agents.turn.Series`."""

    at_once = None

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
