"""The declared inputs of a file: how they are read, and what is wrong with them, each at its place."""

from __future__ import annotations

import pytest

from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.spec import Source
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid

AGENTS = "agents: [{name: a, prompt: Go}]\n"


def inputs_of(text: str) -> tuple[InputSpec, ...]:
    return parse_ensemble_text(f"name: one\n{text}{AGENTS}").ensemble.inputs


def problems_of(text: str) -> list[tuple[str, int, int]]:
    with pytest.raises(EnsembleInvalid) as caught:
        inputs_of(text)
    return [(p.message, p.line, p.column) for p in caught.value.problems]


def test_an_input_is_a_type_or_a_mapping() -> None:
    found = inputs_of(
        """\
inputs:
  any:
  count: integer
  base: {default: origin/main, description: Compare with this}
  language: {type: string, enum: [English, Deutsch], default: English}
  ratio: {type: number, default: 1}
  nothing: {type: array, default: []}
"""
    )

    assert found == (
        InputSpec("any"),
        InputSpec("count", "integer"),
        InputSpec("base", "string", "Compare with this", default="origin/main", is_required=False),
        InputSpec("language", enum=("English", "Deutsch"), default="English", is_required=False),
        InputSpec("ratio", "number", default=1, is_required=False),
        InputSpec("nothing", "array", default=[], is_required=False),
    )


@pytest.mark.parametrize("text", ["", "inputs:\n", "inputs: {}\n"])
def test_an_ensemble_may_have_none(text: str) -> None:
    assert inputs_of(text) == ()


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("inputs: [a]\n", "`inputs` must be a mapping, not a list", 9),
        (
            "inputs: {a b: string}\n",
            "input `a b` must have a name of letters, digits, `_` and `-`, with a letter first",
            10,
        ),
        (
            "inputs: {a.b: string}\n",
            "input `a.b` must have a name of letters, digits, `_` and `-`, with a letter first",
            10,
        ),
        ("inputs: {a: [x]}\n", "input `a` must be a type or a mapping, not a list", 13),
        ("inputs: {a: {kind: x}}\n", "input `a` has no key `kind`", 14),
        ("inputs: {a: {enum: []}}\n", "`enum` must be a list of values, not an empty one", 20),
        (
            "inputs: {a: {type: integer, enum: [1, x]}}\n",
            "each value of `enum` of input `a` must be a whole number, not `x`",
            39,
        ),
        (
            "inputs: {a: {type: integer, default: x}}\n",
            "`default` of input `a` must be a whole number, not `x`",
            38,
        ),
        (
            "inputs: {a: {enum: [x, y], default: z}}\n",
            "`default` of input `a` must be one of `x`, `y`, not `z`",
            37,
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, message: str, column: int) -> None:
    assert problems_of(text) == [(message, 2, column)]


def test_a_misspelled_type_has_the_nearest() -> None:
    with pytest.raises(EnsembleInvalid) as caught:
        inputs_of("inputs: {a: interger}\n")

    assert caught.value.problems[0].hint == "Did you mean `integer`?"


@pytest.mark.parametrize(
    ("text", "task", "default"),
    [
        ("", "optional", None),
        ("default_task: Go\n", "optional", "Go"),
        ("task: Go\n", "optional", "Go"),
        ("task: none\n", "none", None),
        ("task: required\n", "required", None),
    ],
)
def test_task_says_whether_a_run_takes_one_or_is_the_older_default(
    text: str, task: str, default: str | None
) -> None:
    ensemble = parse_ensemble_text(f"name: one\n{text}agents: [{{name: a, prompt: Go}}]\n").ensemble

    assert (ensemble.task, ensemble.default_task) == (task, default)


@pytest.mark.parametrize("task", ["none", "required", "Go"])
def test_a_default_task_that_is_never_used_is_a_mistake(task: str) -> None:
    (problem,) = problems_of(f"default_task: Stop\ntask: {task}\n")

    assert problem[1:] == (3, 1)


def test_inputs_of_a_cloned_file_need_no_trust() -> None:
    text = f"name: one\ninputs: {{a: string}}\n{AGENTS}"

    cloned = parse_ensemble_text(text, Source("project", "/clone/one.yaml"))

    assert cloned.ensemble.inputs == (InputSpec("a"),)
    assert cloned.guarded == ()
