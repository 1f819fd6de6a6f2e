"""Agents that run once for each item of a list: in order, in the run's slots, each with an end of its own."""

from __future__ import annotations

import asyncio
import json

import pytest

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.fan_out.spec import FanOut
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.output import AgentOutput, ItemCounts
from llm_orc.agents.people.question import WaitsForPerson
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import AgentFailed, AgentFinished, AgentNotice, ItemsStarted, RunFinished
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import ReplyUnreadable
from tests.engine.conftest import Behaviour, KeptEvents, RealClock, ScriptedAgents

ECHO = ModelWork(prompt="About ${item}")


def says(text: str) -> Behaviour:
    async def answer(_turn: AgentTurn) -> str:
        return text

    return answer


async def echo(turn: AgentTurn) -> str:
    """Answer with what the prompt ends with; fail if that is `bad`."""
    said = turn.prompt.rsplit(" ", 1)[-1].removesuffix("</item>")
    if "bad" in said:
        raise ReplyUnreadable(f"no text for {said}")
    return f"<{said}>"


async def run(
    *agents: AgentSpec,
    models: ScriptedAgents,
    max_concurrent: int = 10,
    done: dict[str, AgentOutput] | None = None,
    inputs: tuple[InputSpec, ...] = (),
    values: dict[str, object] | None = None,
    rehearsal: bool = False,
) -> KeptEvents:
    sink = KeptEvents()
    async with asyncio.timeout(20):
        await execute(
            make_plan(Ensemble("outer", agents, inputs=inputs)),
            RunStart("run-1", "the task", done=done or {}, inputs=values or {}, sandbox=rehearsal),  # type: ignore[arg-type]
            AgentCaller(models, rehearsal=rehearsal),
            sink,
            clock=RealClock(),
            max_concurrent=max_concurrent,
        )
    return sink


def finished(sink: KeptEvents) -> dict[str, AgentOutput]:
    return {e.agent: e.output for e in sink.events if isinstance(e, AgentFinished)}


def failed(sink: KeptEvents) -> dict[str, str]:
    return {e.agent: e.error.message for e in sink.events if isinstance(e, AgentFailed)}


def over_inputs(items: list[object], work: ModelWork = ECHO, **more: object) -> dict[str, object]:
    spec = AgentSpec("a", work, fan_out=FanOut("${inputs.list}", **more))  # type: ignore[arg-type]
    return {"spec": spec, "inputs": (InputSpec("list", "array"),), "values": {"list": items}}


async def test_the_answers_are_in_the_order_of_the_items_and_a_failed_one_is_data_in_its_slot() -> None:
    async def slow_first(turn: AgentTurn) -> str:
        if turn.prompt.endswith("one"):
            await asyncio.sleep(0.01)
        return await echo(turn)

    models = ScriptedAgents({"a": slow_first})
    specs = (
        AgentSpec("a", ECHO, fan_out=FanOut("${inputs.list}")),
        AgentSpec("b", depends_on=("a",)),
    )
    sink = await run(
        *specs,
        models=models,
        inputs=(InputSpec("list", "array"),),
        values={"list": ["one", "bad", "three"]},
    )

    ended = finished(sink)
    assert ended["a"].data == ["<one>", {"failed": True, "error": "no text for bad"}, "<three>"]
    assert json.loads(ended["a"].text) == ended["a"].data
    assert ended["a"].items == ItemCounts(3, 2, 1)
    assert set(ended) == {"a", "b", "a[0]", "a[2]"}
    assert failed(sink) == {"a[1]": "no text for bad"}
    assert "<three>" in models.prompts["b"]
    assert [(e.agent, e.total) for e in sink.of(ItemsStarted)] == [("a", 3)]  # type: ignore[union-attr]
    assert [e.message for e in sink.of(AgentNotice)] == [  # type: ignore[union-attr]
        "`a[1]` failed: no text for bad"
    ]
    last = sink.events[-1]
    assert isinstance(last, RunFinished)
    assert last.status == "completed"


@pytest.mark.parametrize(
    ("answer", "items"),
    [
        ('["x", "y"]', ["x", "y"]),
        ('```json\n["x"]\n```', ["x"]),
        ('{"data": [1, 2]}', ["1", "2"]),
        ("[]", []),
    ],
)
@pytest.mark.parametrize("over", [None, "${split}"])
async def test_the_list_is_the_answer_of_another_agent(answer: str, items: list[str], over: str | None) -> None:
    models = ScriptedAgents({"split": says(answer)})
    sink = await run(
        AgentSpec("split"),
        AgentSpec("a", ModelWork(prompt="${item}"), ("split",), fan_out=FanOut(over)),
        models=models,
    )

    assert finished(sink)["a"].data == ["answer of a" for _ in items]
    assert models.called.count("a") == len(items)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("some words", "agent `a` has no list to run over: the answer of `split` is text"),
        ('{"x": [1]}', "agent `a` has no list to run over: the answer of `split` is a mapping"),
        ("[1, 2, 3]", "agent `a` runs over at most 2 items, and there are 3"),
    ],
)
async def test_what_is_no_list_or_too_long_fails_before_anything_is_asked(answer: str, why: str) -> None:
    models = ScriptedAgents({"split": says(answer)})
    sink = await run(
        AgentSpec("split"), AgentSpec("a", depends_on=("split",), fan_out=FanOut(max=2)), models=models
    )

    assert failed(sink) == {"a": why}
    assert models.called == ["split"]


async def test_items_can_be_written_with_references() -> None:
    models = ScriptedAgents({"first": says('{"name": "x"}'), "a": echo})
    fan_out = FanOut(("plain", "${first.name}", "with ${first.name}"))
    sink = await run(AgentSpec("first"), AgentSpec("a", ECHO, fan_out=fan_out), models=models)

    answers = finished(sink)["a"].data
    assert isinstance(answers, list)
    assert len(answers) == 3
    assert failed(sink) == {}


async def test_the_first_failure_ends_it_where_the_agent_says_so() -> None:
    models = ScriptedAgents({"a": echo})
    fan_out = FanOut("${inputs.list}", max_concurrent=1, on_item_failure="fail")
    sink = await run(
        AgentSpec("a", ECHO, fan_out=fan_out),
        models=models,
        inputs=(InputSpec("list", "array"),),
        values={"list": ["one", "bad", "three"]},
    )

    assert failed(sink) == {"a[1]": "no text for bad", "a": "`a[1]` failed: no text for bad"}
    assert models.called == ["a", "a"]


async def test_an_agent_whose_items_have_all_failed_has_failed() -> None:
    models = ScriptedAgents({"a": echo})
    sink = await run(
        AgentSpec("a", ECHO, fan_out=FanOut(("bad", "bad2"))), AgentSpec("b", depends_on=("a",)), models=models
    )

    assert failed(sink)["a"] == "no item of agent `a` has an answer: `a[0]` failed: no text for bad"
    assert "b" not in models.called


async def test_without_a_prompt_an_item_is_asked_with_the_task_and_the_item() -> None:
    prompts: list[str] = []

    async def keeps(turn: AgentTurn) -> str:
        prompts.append(turn.prompt)
        return "done"

    models = ScriptedAgents({"split": says('["apple", {"pear": 1}]'), "facts": says("the facts"), "a": keeps})
    await run(
        AgentSpec("split"),
        AgentSpec("facts"),
        AgentSpec("a", depends_on=("split", "facts"), fan_out=FanOut()),
        models=models,
    )

    first, second = prompts
    assert first.endswith(f"of='item' number='1'>\napple\n</{first.split('</')[-1]}")
    assert '{"pear": 1}' in second
    assert "the task" in first
    assert "the facts" in first
    assert "pear" not in first
    assert first.partition("apple")[0].replace("'1'", "") == second.partition('{"pear"')[0].replace("'2'", "")


async def test_items_know_their_fields_and_numbers_and_are_marked_where_they_are_answers() -> None:
    prompts: list[str] = []

    async def keeps(turn: AgentTurn) -> str:
        prompts.append(turn.prompt)
        return "done"

    work = ModelWork(prompt="No ${index}: ${row.name} of ${inputs.who}")
    models = ScriptedAgents({"split": says('[{"name": "x"}, {"name": "y"}]'), "a": keeps})
    await run(
        AgentSpec("split"),
        AgentSpec("a", work, fan_out=FanOut("${split}", name="row")),
        models=models,
        inputs=(InputSpec("who"),),
        values={"who": "us"},
    )

    first, second = prompts
    assert "No 0: <part-" in first
    assert " of='item' name='row' field='name'>x</part-" in first
    assert first.endswith(" of us")
    assert first.partition(" 0:")[0] == second.partition(" 1:")[0]


@pytest.mark.parametrize("slots", [1, 2, 7])
async def test_neither_its_own_limit_nor_the_runs_is_exceeded(slots: int) -> None:
    models = ScriptedAgents({"a": echo})
    fan_out = FanOut(tuple(str(i) for i in range(20)), max_concurrent=3)
    sink = await run(AgentSpec("a", ECHO, fan_out=fan_out), models=models, max_concurrent=slots)

    assert models.most_under_way == min(slots, 3)
    assert finished(sink)["a"].items == ItemCounts(20, 20)


def nested(inner_items: int, outer: FanOut) -> AgentSpec:
    leaf = AgentSpec(
        "leaf", ModelWork(prompt="${inputs.x} ${item}"), fan_out=FanOut(tuple(map(str, range(inner_items))))
    )
    inner = NestedEnsemble("inner", (leaf, AgentSpec("sum", depends_on=("leaf",))), inputs=(InputSpec("x"),))
    return AgentSpec("a", EnsembleWork(inner, {"x": "${item}"}), fan_out=outer)


@pytest.mark.parametrize("slots", [1, 3])
async def test_an_item_may_be_an_ensemble_with_items_of_its_own(slots: int) -> None:
    sink = await run(
        nested(3, FanOut(("p", "q"))),
        AgentSpec("z", depends_on=("a",)),
        models=ScriptedAgents(),
        max_concurrent=slots,
    )

    ended = finished(sink)
    assert {"a", "a[0]", "a[1]/leaf", "a[1]/leaf[2]", "a[0]/sum", "z"} <= set(ended)
    assert ended["a"].data == ["answer of sum", "answer of sum"]


async def test_siblings_take_turns_with_items() -> None:
    """There is no barrier: what becomes ready meanwhile need not wait for all items."""
    models = ScriptedAgents()
    await run(
        AgentSpec("a", ECHO, fan_out=FanOut(tuple(map(str, range(30))))),
        AgentSpec("b"),
        AgentSpec("c", depends_on=("b",)),
        models=models,
        max_concurrent=2,
    )

    assert models.called.index("c") < 10


async def test_items_that_have_an_answer_are_not_asked_again() -> None:
    models = ScriptedAgents({"a": echo})
    done = {"a[1]": AgentOutput("kept", ())}
    sink = await run(AgentSpec("a", ECHO, fan_out=FanOut(("x", "y", "z"))), models=models, done=done)

    assert finished(sink)["a"].data == ["<x>", "kept", "<z>"]
    assert len(models.called) == 2


async def test_a_rehearsal_runs_over_made_up_items() -> None:
    models = ScriptedAgents({"split": says("[canned] words")})
    sink = await run(
        AgentSpec("split"), AgentSpec("a", ECHO, ("split",), fan_out=FanOut()), models=models, rehearsal=True
    )

    assert finished(sink)["a"].items == ItemCounts(2, 2)
    assert [e.message for e in sink.of(AgentNotice)] == [  # type: ignore[union-attr]
        "No canned answer is a list; this rehearsal runs over 2 made-up items."
    ]


@pytest.mark.parametrize(("provider", "alone"), [("anthropic-api", True), ("pretend", False)])
async def test_the_first_goes_ahead_where_a_cache_can_keep_what_all_prompts_begin_with(
    provider: str, *, alone: bool
) -> None:
    order: list[str] = []
    access = Access(provider, "none", Billing.LOCAL, "no credential needed", "http://127.0.0.1:1")

    async def ask(turn: AgentTurn) -> AgentOutput:
        order.append(f"{turn.path} asked")
        turn.observer.calling("m", access)
        await asyncio.sleep(0.01)
        order.append(f"{turn.path} answers")
        turn.observer.text("first word")
        await asyncio.sleep(0.03)
        assert turn.prompt[: turn.shared] == long
        order.append(f"{turn.path} ended")
        return AgentOutput("x", ())

    long = "All that is the same. " * 300
    spec = AgentSpec("a", ModelWork(prompt=f"{long}${{item}}"), fan_out=FanOut(("p", "q", "r")))
    await execute(
        make_plan(Ensemble("e", (spec,))),
        RunStart("run-1", "t"),
        AgentCaller(ask, rehearsal=False),
        KeptEvents(),
        clock=RealClock(),
        max_concurrent=5,
    )

    before_first_word = order[: order.index("a[0] answers")]
    before_first_end = order[: order.index("a[0] ended")]
    assert before_first_word == (["a[0] asked"] if alone else ["a[0] asked", "a[1] asked", "a[2] asked"])
    assert {"a[1] asked", "a[2] asked"} <= set(before_first_end)


@pytest.mark.parametrize(("on_failure", "status"), [("fail", "failed"), ("keep", "waiting")])
async def test_nobody_is_waited_for_once_a_failed_item_has_decided(on_failure: str, status: str) -> None:
    async def asks(turn: AgentTurn) -> str:
        if "ask" in turn.prompt:
            raise WaitsForPerson
        return await echo(turn)

    sink = await run(
        AgentSpec("a", ECHO, fan_out=FanOut("${inputs.list}", on_item_failure=on_failure)),  # type: ignore[arg-type]
        models=ScriptedAgents({"a": asks}),
        inputs=(InputSpec("list", "array"),),
        values={"list": ["ask", "bad"]},
    )

    [end] = [event for event in sink.events if isinstance(event, RunFinished)]
    assert end.status == status
