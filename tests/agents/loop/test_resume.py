"""A resumed loop finds its rounds as they were: also the agents in them that gave no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.engine.events import AgentFinished
from llm_orc.runs.state import RunState
from tests.agents.loop.conftest import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.turn import AgentTurn
    from llm_orc.engine.events import RunEvent

POLISH = """\
name: polish
agents:
  - name: facts
  - name: revise
    loop:
      agents:
        - {name: critic, prompt: "Criticise ${facts}"}
        - {name: second, prompt: "Criticise it too", when: "${round} > 1"}
        - {name: after, prompt: "On ${critic}"}
        - {name: writer, depends_on: [critic, second, after], requires: none}
      answer: writer
      until: "${round} == 3"
      by: critic.score
      keep: best
"""


class Flaky:
    """The critic fails in the first round, and would answer if it were asked again."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, turn: AgentTurn) -> str:
        path = str(turn.path)
        self.asked.append(path)
        if path.endswith("[1]/critic") and self.asked.count(path) == 1:
            return ""
        return '{"score": 9}' if path.endswith("[1]/critic") else '{"score": 5}'


async def test_wherever_it_is_killed_an_earlier_round_stays_as_it_was() -> None:
    whole = await run(POLISH, Flaky())

    for length in range(_round_2(whole.record), len(whole.record)):
        agents = Flaky()
        agents.asked.append("revise[1]/critic")  # which failed before the kill
        record = whole.record[:length]
        ended = await run(POLISH, agents, earlier=record)

        finished = {event.agent for event in record if isinstance(event, AgentFinished)}
        assert ended.outputs["revise"] == whole.outputs["revise"]
        assert finished.isdisjoint(agents.asked)
        assert agents.asked.count("revise[1]/critic") == 1
        assert ended.state.agents["revise[1]/critic"].phase == "failed"
        assert ended.state.agents["revise[1]/after"].because == ("revise[1]/critic",)
        assert all(_without_tag(ended.asked[path]) == _without_tag(whole.asked[path]) for path in ended.asked)


async def test_it_stays_so_after_several_kills() -> None:
    whole = await run(POLISH, Flaky())
    agents = Flaky()
    agents.asked.append("revise[1]/critic")
    record = whole.record[: _round_2(whole.record) + 1]
    for more in (1, 3, 9):
        ended = await run(POLISH, agents, earlier=record)
        record = ended.record[: len(record) + more]

    ended = await run(POLISH, agents, earlier=record)

    assert ended.outputs["revise"] == whole.outputs["revise"]
    assert agents.asked.count("revise[1]/critic") == 1


async def test_an_agent_that_failed_in_the_present_round_is_asked_again() -> None:
    whole = await run(POLISH, Flaky())
    agents = Flaky()
    agents.asked.append("revise[1]/critic")

    ended = await run(POLISH, agents, earlier=whole.record[: _round_2(whole.record) - 2])

    assert "revise[1]/critic" in ended.asked
    assert ended.state.agents["revise"].output is not None
    assert ended.state.agents["revise"].output.rounds is not None
    assert ended.state.agents["revise"].output.rounds.kept == 1  # its number counts now


@pytest.mark.parametrize("outer", ["loop: {agents: [AGENT], max_rounds: 2}", "fan_out: {over: [7, 8]}, "])
async def test_rounds_of_rounds_stay_as_they_were(outer: str) -> None:
    inner = (
        "{name: inner, LOOP: {agents: [{name: critic}, {name: writer, depends_on: [critic], requires: none}],"
        " answer: writer, max_rounds: 2}}"
    )
    if outer.startswith("loop"):
        agent = f"{{name: outer, {outer.replace('AGENT', inner.replace('LOOP', 'loop'))}}}"
    else:
        agent = inner.replace("name: inner, LOOP", f"name: outer, {outer}loop")
    text = f"name: nested\nagents:\n  - {agent}\n"

    def fails(turn: AgentTurn) -> str:
        return "" if turn.path.endswith("[1]/critic") else f"answer of {turn.path}"

    whole = await run(text, fails)
    assert whole.state.agents["outer"].output is not None
    for length in range(1, len(whole.record)):
        ended = await run(text, lambda turn: f"answer of {turn.path}", earlier=whole.record[:length])

        begun = {getattr(event, "agent", "").rpartition("/")[0] for event in whole.record[:length]}
        loops = [path.removesuffix("[1]/critic") for path in ended.asked if path.endswith("[1]/critic")]
        assert begun.isdisjoint(f"{loop}[2]" for loop in loops)


async def test_a_fork_keeps_the_rounds_before_the_one_that_it_asks_again() -> None:
    whole = await run(POLISH, Flaky())

    kept = RunState()
    for event in whole.state.settled.kept({"revise[3]", "revise[3]/writer"}):
        kept.apply(event)

    assert [*whole.state.settled.kept({"revise[1]", "revise[1]/writer"})] == []
    assert sorted(kept.before.settled) == ["revise[1]/after", "revise[1]/critic", "revise[1]/second"]
    assert kept.before.settled == whole.state.before.settled


def _round_2(record: Sequence[RunEvent]) -> int:
    """Return how many events there are up to the first of the second round."""
    return 1 + next(i for i, e in enumerate(record) if getattr(e, "agent", "").startswith("revise[2]/"))


def _without_tag(prompt: str) -> str:
    return prompt.replace(prompt.partition("<part-")[2].partition(" ")[0], "")
