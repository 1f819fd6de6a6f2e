"""Agents that are asked several times: the answer that most agree on, and no more calls than can matter."""

from __future__ import annotations

import asyncio
import random
import re

import pytest

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.output import AgentOutput, ItemCounts, SampleCounts
from llm_orc.agents.repeats.votes import vote_of
from llm_orc.agents.samples.spec import Judge, Samples
from llm_orc.agents.spec import AgentSpec, CacheUse
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork
from llm_orc.engine.events import AgentFailed, AgentFinished
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import EnsembleInvalid, ReplyUnreadable
from tests.engine.conftest import Behaviour, KeptEvents, RealClock, ScriptedAgents

WITH_V = ModelWork(schema={"type": "object", "properties": {"v": {}, "w": {}}})


def in_turn(*answers: str) -> Behaviour:
    """Give these answers one after the other; `""` fails."""
    left = list(answers)

    async def answer(_turn: AgentTurn) -> str:
        if not (text := left.pop(0)):
            raise ReplyUnreadable("no text")
        return text

    return answer


async def run(
    spec: AgentSpec, models: ScriptedAgents, done: dict[str, AgentOutput] | None = None, max_concurrent: int = 1
) -> KeptEvents:
    sink = KeptEvents()
    async with asyncio.timeout(20):
        await execute(
            make_plan(Ensemble("e", (spec,))),
            RunStart("run-1", "the task", done=done or {}),
            AgentCaller(models, rehearsal=False),
            sink,
            clock=RealClock(),
            max_concurrent=max_concurrent,
        )
    return sink


def finished(sink: KeptEvents) -> dict[str, AgentOutput]:
    return {e.agent: e.output for e in sink.events if isinstance(e, AgentFinished)}


@pytest.mark.parametrize(
    ("samples", "answers", "text", "counts"),
    [
        (Samples(5), ("yes", "no", "yes", "yes"), "yes", (4, 3)),  # the fifth can't change it
        (Samples(5), ("a", "b", "a", "b", "c"), "a", (5, 2)),  # a tie: that which was said first
        (Samples(15, ahead=2), ("no", "yes", "yes", "yes"), "yes", (4, 3)),
        (Samples(15, ahead=1), ("yes",), "yes", (1, 1)),
        (Samples(3), ("", " yes\n", "yes"), " yes\n", (3, 2)),  # a failure has no vote; spaces make no difference
        (Samples(3), ('{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}'), '{"a": 1, "b": 2}', (2, 2)),
        (Samples(3, vote="v"), ('{"v": 1, "w": 1}', '{"w": 1}', '{"v": 1.0}'), '{"v": 1, "w": 1}', (3, 2)),
    ],
)
async def test_the_answer_that_most_agree_on(
    samples: Samples, answers: tuple[str, ...], text: str, counts: tuple[int, int]
) -> None:
    models = ScriptedAgents({"a": in_turn(*answers)})
    sink = await run(AgentSpec("a", WITH_V if samples.vote == "v" else ModelWork(), samples=samples), models)

    answer = finished(sink)["a"]
    assert (answer.text, answer.samples, answer.calls) == (text, SampleCounts(*counts), ())
    assert len(models.called) == len(answers)


@pytest.mark.parametrize(
    ("samples", "answers", "why"),
    [
        (Samples(2), ("", ""), "no sample of agent `a` has an answer: no text"),
        (
            Samples(2, vote="v"),
            ('{"w": 2}', '{"w": 1}'),
            "no answer of agent `a` has the field `v` that `vote` compares",
        ),
    ],
)
async def test_an_agent_without_any_vote_fails(samples: Samples, answers: tuple[str, ...], why: str) -> None:
    sink = await run(AgentSpec("a", WITH_V, samples=samples), ScriptedAgents({"a": in_turn(*answers)}))

    failed = {str(e.agent): e.error.message for e in sink.events if isinstance(e, AgentFailed)}
    assert failed["a"] == why


async def test_no_more_are_under_way_than_could_matter() -> None:
    models = ScriptedAgents()
    sink = await run(AgentSpec("a", samples=Samples(15, ahead=3)), models, max_concurrent=10)

    assert models.most_under_way == len(models.called) == 3
    assert finished(sink)["a"].samples == SampleCounts(3, 3)


async def test_samples_that_have_an_answer_are_not_asked_again() -> None:
    done = {"a[0]": AgentOutput("yes", ()), "a[1]": AgentOutput("no", ())}
    models = ScriptedAgents({"a": in_turn("no")})
    sink = await run(AgentSpec("a", samples=Samples(3)), models, done)

    assert finished(sink)["a"].text == "no"
    assert len(models.called) == 1


async def test_each_item_may_be_asked_several_times() -> None:
    spec = AgentSpec("a", ModelWork(prompt="${item}"), fan_out=FanOut(("x", "y")), samples=Samples(3))
    sink = await run(spec, ScriptedAgents(), max_concurrent=4)

    answers = finished(sink)
    assert {"a", "a[0]", "a[1][0]", "a[1][1]"} <= set(answers)
    assert answers["a[1]"].samples == SampleCounts(2, 2)
    assert answers["a"].items == ItemCounts(2, 2)


def test_an_answer_that_is_nested_too_deeply_to_be_compared_votes_as_text() -> None:
    deep = AgentOutput("[" * 900 + "]" * 900, ())

    assert vote_of(deep, "whole") == deep.text
    assert vote_of(AgentOutput(f'{{"a": {deep.text}}}', ()), "a") is None


def test_equal_answers_have_equal_votes() -> None:
    def vote(text: str, by: str = "whole") -> str | None:
        return vote_of(AgentOutput(text, ()), by)

    assert vote("a  b\n") == vote("a b")
    assert vote('```json\n{"a": [1, {"b": null}]}\n```') == vote('{"a":[1.0,{"b":null}]}')
    assert vote("true") != vote("1")
    assert vote('{"a": {"b": " x"}}', "a.b") == vote('{"a": {"b": "x"}, "c": 1}', "a.b")
    assert vote('{"a": 1}', "a.b") is None


async def test_being_ahead_by_three_is_as_good_as_fifteen_at_less_than_sixty_percent_of_the_calls() -> None:
    """Voters are right in 80 of 100 cases, and wrong in one of four other ways."""
    seeded = random.Random(7)

    async def voter(_turn: AgentTurn) -> str:
        return "right" if seeded.random() < 0.8 else f"wrong {seeded.randrange(4)}"

    async def asked_and_wrong(samples: Samples, runs: int) -> tuple[int, int]:
        models, wrong = ScriptedAgents({"a": voter}), 0
        for _ in range(runs):
            wrong += finished(await run(AgentSpec("a", samples=samples), models))["a"].text != "right"
        return len(models.called), wrong

    runs = 300
    calls, wrong = await asked_and_wrong(Samples(15, ahead=3), runs)

    assert calls <= 0.6 * 15 * runs
    assert wrong == (await asked_and_wrong(Samples(15), runs))[1] == 0


async def test_a_rehearsal_takes_the_first_canned_answer_where_none_has_a_vote() -> None:
    sink = KeptEvents()
    spec = AgentSpec(
        "verdict", ModelWork(schema={"properties": {"verdict": {}}}), samples=Samples(3, vote="verdict")
    )
    models = ScriptedAgents({"verdict": in_turn('{"a": 1}', '{"a": 2}', '{"a": 3}')})
    await execute(
        make_plan(Ensemble("e", (spec,))),
        RunStart("run-1", "the task", sandbox=True),
        AgentCaller(models, rehearsal=True),
        sink,
        clock=RealClock(),
        max_concurrent=1,
    )

    assert finished(sink)["verdict"].text == '{"a": 1}'
    assert finished(sink)["verdict"].samples == SampleCounts(3, 0)


def choice(best: int) -> str:
    return f'{{"why": "it is right", "best": {best}}}'


class TestJudge:
    spec = AgentSpec("a", ModelWork(system_prompt="Be short."), samples=Samples(3, judge=Judge()))

    async def test_chooses_one_of_the_answers_that_differ_and_is_told_what_was_asked(self) -> None:
        models = ScriptedAgents({"a": in_turn("x", " x ", "y"), "judge": in_turn(choice(3))})
        sink = await run(self.spec, models, max_concurrent=5)

        answers = finished(sink)
        assert (answers["a"].text, answers["a"].samples, answers["a"].calls) == ("y", SampleCounts(3, 1), ())
        assert answers["a/judge"].data == {"why": "it is right", "best": 3}
        asked = models.prompts["judge"]
        tag = asked.partition("tags named ")[2].partition(" ")[0]
        assert asked.endswith(
            f"<{tag} of='role'>\nBe short.\n</{tag}>\n\n<{tag} of='question'>\nthe task\n</{tag}>\n\n"
            f"<{tag} of='answer' number='1'>\nx\n</{tag}>\n\n<{tag} of='answer' number='3'>\ny\n</{tag}>"
        )

    async def test_is_not_asked_where_all_say_the_same(self) -> None:
        models = ScriptedAgents({"a": in_turn("x", "x\n", "")})
        sink = await run(self.spec, models)

        assert (finished(sink)["a"].text, finished(sink)["a"].samples) == ("x", SampleCounts(3, 2))
        assert models.called == ["a"] * 3

    async def test_that_has_chosen_is_not_asked_again_and_means_the_same_answer(self) -> None:
        done = {
            "a[0]": AgentOutput("x", ()),
            "a[2]": AgentOutput("y", ()),
            "a/judge": AgentOutput(choice(3), (), {"best": 3}),
        }
        models = ScriptedAgents({"a": in_turn("z")})
        sink = await run(self.spec, models, done)

        assert (finished(sink)["a"].text, models.called) == ("y", ["a"])

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            (
                choice(2),
                "the answer of agent `a/judge` does not satisfy its schema after 2 repairs: `best`: 2 is not",
            ),
            (choice(4), "the answer of agent `a/judge` does not satisfy its schema after 2 repairs"),
            ("", "no text"),
        ],
    )
    async def test_that_names_no_answer_fails_the_agent(self, said: str, why: str) -> None:
        models = ScriptedAgents({"a": in_turn("x", "x", "y"), "judge": in_turn(said, said, said)})
        sink = await run(self.spec, models)

        failed = {str(e.agent): e.error.message for e in sink.events if isinstance(e, AgentFailed)}
        assert failed["a"].startswith(f"the judge of agent `a` chose none of its answers: {why}")
        assert {"a[0]", "a[1]", "a[2]"} <= set(finished(sink))

    async def test_that_names_an_answer_it_was_not_shown_is_asked_again(self) -> None:
        models = ScriptedAgents({"a": in_turn("x", "x", "y"), "judge": in_turn(choice(2), choice(3))})
        sink = await run(self.spec, models)

        assert (finished(sink)["a"].text, models.called.count("judge")) == ("y", 2)
        assert finished(sink)["a/judge"].validation == "repaired 1"

    async def test_judges_the_samples_of_each_item_by_itself(self) -> None:
        spec = AgentSpec(
            "a", ModelWork(prompt="${item}"), fan_out=FanOut(("u", "v")), samples=Samples(2, judge=Judge())
        )
        models = ScriptedAgents({"a": in_turn("1", "2", "3", "4"), "judge": in_turn(choice(2), choice(1))})
        sink = await run(spec, models)

        assert finished(sink)["a"].data == ["2", "3"]
        assert {"a[0]/judge", "a[1]/judge"} <= set(finished(sink))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (AgentSpec("a", samples=Samples(3), cache=CacheUse()), "both `samples` and `cache`"),
        (AgentSpec("a", samples=Samples(3, vote="v")), "no `schema` says that there is one"),
        (AgentSpec("a", samples=Samples(3, ahead=1, judge=Judge())), "both `ahead` and `vote: choose`"),
        (AgentSpec("a", samples=Samples(3), conversation=True), "both `samples` and `conversation`"),
        (AgentSpec("a", fan_out=FanOut()), "no `depends_on` whose answer is the list"),
        (AgentSpec("a", WITH_V, samples=Samples(3, vote="x")), "names `x`, which its schema does not have"),
    ],
)
def test_what_excludes_each_other_is_refused_from_python_as_from_a_file(spec: AgentSpec, why: str) -> None:
    with pytest.raises(EnsembleInvalid, match=re.escape(why)):
        make_plan(Ensemble("e", (spec,)))
