"""Schemas in a file: their problems, and what references and conditions know by them."""

from __future__ import annotations

import pytest

from llm_orc.agents.uses.graph import output_schema
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid
from llm_orc.schemas.shape import field_names

JUDGED = """\
name: one
agents:
  - name: judge
    schema:
      verdict: [publish, revise]
      score: number
      reasons: [string]
      at: {line: integer}
      note?: string
      open: object
      either: {type: [string, "null"]}
  - name: editor
    when: WHEN
    prompt: "PROMPT"
"""


def problems_in(text: str) -> list[tuple[int, int, str, str | None]]:
    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(text)
    return [(p.line, p.column, p.message, p.hint) for p in raised.value.problems]


def judged(when: str = "${judge.score} > 1", prompt: str = "x") -> str:
    return JUDGED.replace("WHEN", when).replace("PROMPT", prompt)


@pytest.mark.parametrize(
    ("schema", "line", "column", "message"),
    [
        ("{title: sting}", 4, 14, "the schema of agent `a` has `sting`, which is no type"),
        (
            "{type: object, properties: {x: {type: strng}}}",
            4,
            45,
            "the schema of agent `a` has `strng`, which is no type",
        ),
        ("{$ref: 'https://example.com/x'}", 4, 14, "nothing is fetched"),
        ("nowhere.json", 4, 5, "there is no schema `nowhere.json`"),
        ("../../etc/passwd", 4, 5, "there is no schema"),
        ("7", 4, 13, "`schema` must be fields with their types"),
    ],
)
def test_a_wrong_schema_is_found_at_its_place(schema: str, line: int, column: int, message: str) -> None:
    found = problems_in(f"name: one\nagents:\n  - name: a\n    schema: {schema}\n")

    assert [(at, place) for at, place, _, _ in found] == [(line, column)]
    assert message in found[0][2]


@pytest.mark.parametrize(
    "prompt",
    [
        *("${judge}", "${judge.verdict}", "${judge.reasons.0}", "${judge.at.line}", "${judge.note}"),
        *("${judge.open.anything.2.x}", "${judge.either}"),
    ],
)
def test_a_field_that_the_schema_has_may_be_named(prompt: str) -> None:
    parse_ensemble_text(judged(prompt=prompt))


@pytest.mark.parametrize(
    ("prompt", "field", "hint"),
    [
        ("${judge.verdct}", "verdct", "Did you mean `verdict`?"),
        ("${judge.at.lin}", "lin", "Did you mean `line`?"),
        ("${judge.score.x}", "x", "of the type `number`"),
        ("${judge.reasons.x}", "x", "of the type `array`"),
        ("${judge.zzz}", "zzz", "`verdict`, `score`"),
    ],
)
def test_a_field_that_it_does_not_have_is_a_problem(prompt: str, field: str, hint: str) -> None:
    ((line, _, message, said),) = problems_in(judged(prompt=prompt))

    assert line == 14
    assert f"names `{field}`, which the schema of agent `judge` does not have" in message
    assert hint in (said or "")


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("${judge.verdict} == 'pubish'", "`judge.verdict` is never `pubish`"),
        ("${judge.score} == 'high'", "compares a number with text, which are never equal"),
        ("${judge.reasons} > 1", "compares a list with a number"),
        ("${judge.verdict} in ['a', 'b']", "`judge.verdict` is never `a`"),
        ("${judge.at} == 1", "compares a mapping with a number"),
        ("${judge} == 'publish'", "compares a mapping with text"),
        ("${judge.either} > 1", "compares"),
    ],
)
def test_a_comparison_that_is_never_true_is_a_problem(when: str, message: str) -> None:
    ((line, _, said, _),) = problems_in(judged(when=when))

    assert line == 13
    assert message in said


@pytest.mark.parametrize(
    "when",
    [
        *("${judge.verdict} == 'revise'", "${judge.score} >= 2", "size(${judge.reasons}) > 0"),
        *(
            "has(${judge.note})",
            "${judge.either} == null",
            "size(${judge.reasons}) in [1, 2]",
            "${judge.at.line} == 3",
        ),
    ],
)
def test_a_comparison_that_may_be_true_is_none(when: str) -> None:
    parse_ensemble_text(judged(when=when))


def test_the_schema_of_an_ensemble_is_that_of_the_agent_that_answers() -> None:
    whole = parse_ensemble_text(judged().replace("name: one", "name: one\nanswer: judge")).ensemble

    schema = output_schema(whole)
    assert "verdict" in field_names(schema)
    assert output_schema(parse_ensemble_text(judged()).ensemble) is None


def test_both_spellings_at_once_are_a_problem() -> None:
    text = "name: one\nagents:\n  - {name: a, schema: {x: string}, response_format: {type: json_schema, json_schema: {}}}\n"

    assert any("both `schema` and `response_format`" in message for _, _, message, _ in problems_in(text))
