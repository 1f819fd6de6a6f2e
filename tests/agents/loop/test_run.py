"""What runs in the rounds of a loop, what it sees, and what becomes of it."""

from __future__ import annotations

import json
import re

import pytest

from llm_orc.agents.output import AgentOutput, Rounds
from llm_orc.agents.turn import AgentTurn
from tests.agents.loop.conftest import Answer, run

POLISH = """\
name: polish
agents:
  - name: facts
  - name: revise
    loop:
      agents:
        - name: writer
          prompt: "${task}, ${facts}, round ${round}: [${last.writer}] [${last.judge.advice}]"
        - {name: judge, prompt: "Rate ${writer}"}
      answer: writer
      until: ${judge.score} >= 8
"""


def scores(*given: object) -> Answer:
    """Return what each agent says: the judge gives a score in each round, others say where they are."""

    def answer(turn: AgentTurn) -> str:
        if turn.agent.name != "judge":
            return f"answer of {turn.path}"
        number = int(re.findall(r"\d+", turn.path)[-1])
        return json.dumps({"score": given[number - 1], "advice": f"advice {number}"})

    return answer


async def test_rounds_run_until_the_condition_holds_and_see_the_one_before() -> None:
    ended = await run(POLISH, scores(3, 9, 10))

    assert list(ended.asked) == [
        "facts",
        "revise[1]/writer",
        "revise[1]/judge",
        "revise[2]/writer",
        "revise[2]/judge",
    ]
    assert ended.outputs["revise"].text == "answer of revise[2]/writer"
    assert ended.outputs["revise"].rounds == Rounds(2, "until", 2)
    assert ended.asked["revise[1]/writer"].endswith("round 1: [] []")
    assert "the task, <part-" in ended.asked["revise[1]/writer"]
    second = re.sub("part-[0-9a-f]+", "part", ended.asked["revise[2]/writer"])
    assert "<part of='answer' agent='last.writer'>answer of revise[1]/writer</part>" in second
    assert "<part of='answer' agent='last.judge' field='advice'>advice 1</part>" in second


async def test_the_last_round_that_is_allowed_is_a_success_that_says_so() -> None:
    ended = await run(POLISH, scores(1, 2, 3))

    assert ended.outputs["revise"].rounds == Rounds(3, "exhausted", 3)
    [notice] = ended.notices["revise"]
    assert notice == (
        "After 3 rounds, `${judge.score} >= 8` is still false: this was the last one allowed (`max_rounds`)."
    )


async def test_it_may_be_a_failure_instead() -> None:
    ended = await run(POLISH + "      on_exhausted: fail\n      max_rounds: 1\n", scores(1))

    assert ended.failed == {"revise": "after 1 round, `${judge.score} >= 8` is still false"}
    assert "revise[1]/writer" in ended.outputs


async def test_without_a_condition_there_are_always_as_many_rounds() -> None:
    ended = await run(POLISH.replace("until: ${judge.score} >= 8", "max_rounds: 2"), scores(1, 2))

    assert ended.outputs["revise"].rounds == Rounds(2, "exhausted", 2)
    assert ended.notices == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [((5, 9, 7), 2), ((5, 5, 5), 1), (("high", 3, 4), 3), ((True, None, "x"), 3), ((-1, -2, 0.5), 3)],
)
async def test_the_round_with_the_highest_number_is_kept(given: tuple[object, ...], kept: int) -> None:
    ended = await run(POLISH.replace("until: ${judge.score} >= 8", "by: judge.score"), scores(*given))

    assert ended.outputs["revise"].rounds == Rounds(3, "exhausted", kept)
    assert ended.outputs["revise"].text == f"answer of revise[{kept}]/writer"
    without = [n for n in given if isinstance(n, bool | str) or n is None]
    assert len(ended.notices.get("revise", [])) == len(without)


async def test_an_undecided_condition_fails_with_the_round_and_the_place() -> None:
    ended = await run(POLISH, scores(1, "nine"))

    assert ended.failed == {
        "revise": "round 2 of at most 3: the condition `${judge.score} >= 8` can't be decided: "
        "`${judge.score} >= 8` compares text with a number"
    }
    assert ended.outputs.keys() >= {"revise[1]/judge", "revise[2]/judge"}


async def test_a_failed_round_fails_the_loop_and_says_which() -> None:
    ended = await run(POLISH, lambda turn: "" if turn.path == "revise[2]/writer" else scores(1)(turn))

    assert ended.failed["revise"] == "round 2 of at most 3: it has no answer: agent `writer` failed: no text"
    assert "revise[1]/writer" in ended.outputs


async def test_a_failure_that_is_not_the_answers_is_only_told() -> None:
    text = POLISH.replace("      until: ${judge.score} >= 8\n", "      max_rounds: 1\n")

    ended = await run(text, lambda turn: "" if turn.agent.name == "judge" else "text")

    assert ended.outputs["revise"].text == "text"
    assert ended.notices["revise"] == ["In round 1: agent `judge` failed: no text"]


async def test_what_has_answered_is_not_asked_again() -> None:
    whole = await run(POLISH, scores(3, 4, 9))
    kept = {p: whole.outputs[p] for p in ("facts", "revise[1]/writer", "revise[1]/judge", "revise[2]/writer")}

    ended = await run(POLISH, scores(3, 4, 9), done=kept)

    assert list(ended.asked) == ["revise[2]/judge", "revise[3]/writer", "revise[3]/judge"]
    assert ended.asked == {path: whole.asked[path] for path in ended.asked}
    assert ended.outputs["revise"] == whole.outputs["revise"]


async def test_conditions_know_the_round_and_the_one_before() -> None:
    until = "until: ${round} > 1 && ${judge.score} <= ${last.judge.score}"

    ended = await run(
        POLISH.replace("until: ${judge.score} >= 8", until) + "      max_rounds: 9\n", scores(1, 5, 7, 7)
    )

    assert ended.outputs["revise"].rounds == Rounds(4, "until", 4)


async def test_agents_may_run_in_some_rounds_only() -> None:
    text = POLISH.replace("{name: judge,", "{name: judge, when: '${round} == 1 || !${last.judge.done}',")
    text = text.replace("{name: judge", "{name: start, when: '${round} == 1'}\n        - {name: judge")

    ended = await run(text, scores(1, 2, 3))

    assert [path for path in ended.asked if path.endswith("start")] == ["revise[1]/start"]


async def test_a_loop_within_a_loop_sees_what_is_around_both() -> None:
    text = """\
name: outer
agents:
  - name: facts
  - name: chapters
    loop:
      max_rounds: 2
      agents:
        - name: plan
          prompt: "${facts} ${last.text}"
        - name: text
          loop:
            max_rounds: 2
            agents:
              - {name: line, prompt: "${plan} and ${facts}, ${round}: [${last.line}]"}
"""

    ended = await run(text)

    assert list(ended.asked) == [
        "facts",
        "chapters[1]/plan",
        "chapters[1]/text[1]/line",
        "chapters[1]/text[2]/line",
        "chapters[2]/plan",
        "chapters[2]/text[1]/line",
        "chapters[2]/text[2]/line",
    ]
    assert "answer of chapters[2]/plan" in ended.asked["chapters[2]/text[1]/line"]
    assert ended.asked["chapters[2]/text[1]/line"].endswith("1: []")
    assert "answer of chapters[1]/text[2]/line" in ended.asked["chapters[2]/plan"]
    assert "answer of facts" in ended.asked["chapters[2]/text[2]/line"]


async def test_agents_without_prompts_see_what_the_loop_is_asked() -> None:
    text = (
        "name: x\nagents:\n- {name: a}\n- {name: b, depends_on: [a], loop: {max_rounds: 1, agents: [{name: c}]}}\n"
    )

    ended = await run(text)

    assert "answer of a" in ended.asked["b[1]/c"]
    assert "the task" in ended.asked["b[1]/c"]


async def test_a_text_that_is_carried_is_the_next_task() -> None:
    text = 'name: x\nagents:\n- {name: b, loop: {agents: [{name: c}], carry: "more ${c}"}}\n'

    ended = await run(text)

    assert list(ended.asked.values()) == [
        "the task",
        "more answer of b[1]/c",
        "more answer of b[2]/c",
    ]


async def test_a_rehearsal_runs_one_round_if_nothing_decides() -> None:
    ended = await run(POLISH + "      on_exhausted: fail\n", lambda _: "canned", rehearsal=True)

    assert list(ended.asked) == ["facts", "revise[1]/writer", "revise[1]/judge"]
    assert ended.notices == {"revise": ["No canned answer decides `until`; this rehearsal runs one round."]}
    assert ended.failed == {}


async def test_an_answer_that_conditions_always_leave_out_is_empty() -> None:
    text = "name: x\nagents:\n- {name: b, loop: {max_rounds: 2, agents: [{name: c, when: '${round} > 5'}]}}\n"

    ended = await run(text)

    assert ended.outputs["b"] == AgentOutput("", (), rounds=Rounds(2, "exhausted", None))
