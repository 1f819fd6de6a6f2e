"""Whatever the judge says, and wherever a run is cut, a loop has the same rounds."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.turn import AgentTurn
from tests.agents.loop.conftest import Ended, run
from tests.agents.loop.test_run import scores

TEXT = """\
name: polish
agents:
  - name: revise
    loop:
      agents:
        - {name: writer, prompt: "${last.writer} ${last.judge.advice}"}
        - {name: second, prompt: "${last.judge}", when: "${round} > 1 && ${last.judge.score} < 5"}
        - {name: judge, prompt: "Rate ${writer}"}
      answer: writer
      until: "${judge.score} >= 8 || ${round} > 2 && ${judge.score} == ${last.judge.score}"
      by: judge.score
      max_rounds: 6
"""
judged = st.lists(st.integers(0, 9), min_size=6, max_size=6)


def expected(given_: list[int]) -> int:
    for number, score in enumerate(given_, 1):
        if score >= 8 or (number > 2 and score == given_[number - 2]):
            return number
    return len(given_)


@settings(max_examples=60, deadline=None)
@given(judged, st.lists(st.integers(0, 9), max_size=3))
def test_the_rounds_are_those_that_the_scores_say_also_after_kills(given_: list[int], cuts: list[int]) -> None:
    whole = asyncio.run(run(TEXT, scores(*given_)))
    asked: list[str] = []
    kept: dict[str, AgentOutput] = {}
    for cut in [*cuts, 99]:  # each attempt dies after so many answers
        ended = _run_until(given_, kept, cut)
        asked += ended.asked
        kept = ended.outputs

    outcome, rounds = whole.outputs["revise"], expected(given_)
    assert sorted(asked) == sorted(whole.asked)
    assert kept == whole.outputs
    assert outcome.rounds is not None
    assert outcome.rounds.number == rounds
    assert outcome.rounds.kept == 1 + given_.index(max(given_[:rounds]))


def _run_until(given_: list[int], done: dict[str, AgentOutput], answers: int) -> Ended:
    """Run it, and kill it when so many answers are there."""
    said = scores(*given_)
    there = 0

    def answer(turn: AgentTurn) -> str:
        nonlocal there
        there += 1
        return said(turn) if there <= answers else ""

    ended = asyncio.run(run(TEXT, answer, done=done))
    ended.asked = {path: prompt for path, prompt in ended.asked.items() if path in ended.outputs}
    return ended
