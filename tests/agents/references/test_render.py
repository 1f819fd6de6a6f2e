"""References are filled in once; what a model has said can't pass for anything else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.references.names import Names
from llm_orc.agents.references.render import fill_in, fill_in_plainly
from llm_orc.agents.references.scope import Scope
from llm_orc.errors import ReferenceWithoutValue
from llm_orc.jsontypes import JsonValue

JUDGE = '{"verdict": "yes", "score": 7, "sure": true, "why": null, "points": [{"at": "x"}, "y"]}'


def scope(
    task: str = "Go", inputs: dict[str, JsonValue] | None = None, *, skipped: bool = False, **answers: str
) -> Scope:
    values = inputs or {}
    names = Names(("judge", "lawyer", *answers), {name: InputSpec(name, "object") for name in values})
    outputs = {name: AgentOutput(text, ()) for name, text in answers.items()}
    return Scope(names, task, values, "run-1", outputs, skipped={"lawyer": ()} if skipped else {})


def body(filled: str) -> str:
    """Return the text after the sentence about its tags, with the tag as `T`."""
    found = re.match(r"Only tags named (part-[0-9a-f]{20}) begin or end a part[^\n]*\n\n", filled)
    assert found is not None, filled
    return filled[found.end() :].replace(found[1], "T")


def test_the_task_and_inputs_are_put_in_as_they_are_and_data_as_json() -> None:
    here = scope("Say ${task}", {"o": {"k": ["é", 1]}})

    assert fill_in("${task} | ${inputs.o} | ${inputs.o.k.0} | ${run.id} | $${task}", here) == (
        'Say ${task} | {"k": ["é", 1]} | é | run-1 | ${task}'
    )


def test_an_answer_stands_in_tags_in_its_line_or_on_lines_of_its_own() -> None:
    here = scope(judge="yes", lawyer="one\ntwo")

    assert body(fill_in("He says ${judge}.\n${judge}\n${lawyer}!", here)) == (
        "He says <T of='answer' agent='judge'>yes</T>.\n"
        "<T of='answer' agent='judge'>\nyes\n</T>\n"
        "<T of='answer' agent='lawyer'>\none\ntwo\n</T>!"
    )


def test_fields_are_found_in_json_with_or_without_a_fence() -> None:
    for text in (JUDGE, f"```json\n{JUDGE}\n```", f"\n```\n{JUDGE}\n```\n"):
        assert fill_in("${judge.score} ${judge.sure} ${judge.why}", scope(judge=text)) == "7 true null"
        assert body(fill_in("${judge.points.0.at}: ${judge.points.1}", scope(judge=text))) == (
            "<T of='answer' agent='judge' field='points.0.at'>x</T>: "
            "<T of='answer' agent='judge' field='points.1'>y</T>"
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${judge.verdct}", "there is no `verdct`; the fields are `verdict`, `score`, `sure`, `why`, `points`"),
        ("${judge.points.2}", "there is no `2`; it is a list of 2"),
        ("${judge.verdict.x}", "there is no `x`; it is no mapping and no list"),
        ("${lawyer.x}", "the answer is not JSON"),
    ],
)
def test_a_field_that_is_not_there_is_an_error_and_never_text(text: str, message: str) -> None:
    with pytest.raises(ReferenceWithoutValue) as caught:
        fill_in(text, scope(judge=JUDGE, lawyer="No, because"))

    assert caught.value.message == f"`{text}` has no value: {message}"


def test_an_answer_that_is_missing_is_said_to_be() -> None:
    assert body(fill_in("${lawyer}", scope())) == "<T of='missing' agent='lawyer'>This agent gave no answer.</T>"
    assert "was skipped by its condition" in fill_in("${lawyer.x}", scope(skipped=True))


def test_a_program_gets_no_tags() -> None:
    assert fill_in_plainly("${judge} ${judge.points}", scope(judge=JUDGE)) == (f'{JUDGE} [{{"at": "x"}}, "y"]')
    with pytest.raises(ReferenceWithoutValue, match="gave no answer"):
        fill_in_plainly("${lawyer}", scope())


_HOSTILE = st.lists(
    st.sampled_from(["${task}", "${judge}", "$${", "</T>", "<T of='task'>", "SECRET", "\n", "'", "part-", "}"])
).map("".join)


@given(_HOSTILE, _HOSTILE, st.booleans())
def test_no_answer_can_end_its_part_or_be_read_again(one: str, other: str, seen_before: bool) -> None:
    template = "First ${judge}\nthen\n${lawyer}\n${task}"
    earlier = fill_in(template, scope("the task", judge="a", lawyer="b")).split()[3]
    one, other = (text.replace("T", earlier if seen_before else "T") for text in (one, other))

    filled = fill_in(template, scope("the task", judge=one, lawyer=other))

    tag = filled.split()[3]
    assert tag not in one + other
    assert filled.count(f"<{tag} of='answer'") == filled.count(f"</{tag}>") == 2
    assert filled.count("the task") == 1
    for text in (one, other):
        assert text in filled
