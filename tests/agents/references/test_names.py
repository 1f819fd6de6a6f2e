"""What a reference may name, and what it then stands for."""

from __future__ import annotations

import pytest

from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.references.names import Names, Target, UnknownName
from llm_orc.agents.references.syntax import Reference

NAMES = Names(
    agents=("judge", "the judge", "v1", "v1.5", "Prüfer", "0"),
    inputs={"base": InputSpec("base"), "limits": InputSpec("limits", "object")},
)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("task", Target("task", "task")),
        ("run.id", Target("run", "id")),
        ("inputs.base", Target("inputs", "base")),
        ("inputs.limits.low.0", Target("inputs", "limits", ("low", "0"))),
        ("judge", Target("agent", "judge", is_answer=True)),
        ("judge.score", Target("agent", "judge", ("score",), is_answer=True)),
        ("the judge.score", Target("agent", "the judge", ("score",), is_answer=True)),
        ("v1", Target("agent", "v1", is_answer=True)),
        ("v1.5", Target("agent", "v1.5", is_answer=True)),
        ("v1.5.score", Target("agent", "v1.5", ("score",), is_answer=True)),
        ("v1.6", Target("agent", "v1", ("6",), is_answer=True)),
        ("Prüfer.urteil", Target("agent", "Prüfer", ("urteil",), is_answer=True)),
        ("0.0", Target("agent", "0", ("0",), is_answer=True)),
    ],
)
def test_a_name_stands_for_one_thing(name: str, target: Target) -> None:
    assert NAMES.resolve(Reference(name)) == target


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("jugde", "`${jugde}` names no agent, and nothing else known here", "Did you mean `${judge}`? "),
        ("HOME", "`${HOME}` names no agent, and nothing else known here", "A literal `${` is written `$${`."),
        ("inputs.bse", "`${inputs.bse}` is no input of this ensemble", "Did you mean `${inputs.base}`?"),
        ("inputs", "`${inputs}` is no input of this ensemble", "There are `${inputs.base}`, `${inputs.limits}`."),
        ("inputs.base.x", "`${inputs.base.x}` names a field, but input `base` is of the type `string`", "object"),
        ("task.x", "`${task.x}` names a field of the task, which is text", "Write `${task}`."),
        ("run", "`${run}` is unknown: a run has only its `id`", "Write `${run.id}`."),
        ("run.ID", "`${run.ID}` is unknown: a run has only its `id`", "Write `${run.id}`."),
        ("item.name", "`${item.name}` is known only within a fan-out", "$${"),
    ],
)
def test_what_is_unknown_is_refused_with_a_way_out(name: str, message: str, hint: str) -> None:
    with pytest.raises(UnknownName) as caught:
        NAMES.resolve(Reference(name))

    assert caught.value.message == message
    assert hint in caught.value.hint


def test_an_input_that_is_not_declared_says_how() -> None:
    with pytest.raises(UnknownName) as caught:
        Names().resolve(Reference("inputs.base"))

    assert caught.value.hint == "Declare it: `inputs: {base: string}`."


@pytest.mark.parametrize("name", ["task", "inputs", "run"])
def test_an_agent_with_a_name_that_is_taken_is_ambiguous(name: str) -> None:
    with pytest.raises(UnknownName, match="may be the agent"):
        Names(agents=(name,)).resolve(Reference(name))


def test_what_comes_from_answers_is_tainted_wherever_it_comes_in() -> None:
    names = Names(
        ("judge",),
        {"base": InputSpec("base"), "quote": InputSpec("quote")},
        local=frozenset({"item", "index"}),
        from_answers=frozenset({"item", "inputs.quote", "task"}),
    )

    tainted = {
        name: names.resolve(Reference(name)).is_tainted
        for name in (
            "judge",
            "judge.x",
            "item",
            "item.x",
            "index",
            "task",
            "inputs.quote",
            "inputs.base",
            "run.id",
        )
    }

    assert [name for name, is_tainted in tainted.items() if not is_tainted] == ["index", "inputs.base", "run.id"]
