"""Wrong keys of agents, and wrong keys within their values: where they are, and what is said."""

from __future__ import annotations

import pytest

from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid


def problem_of(agent: str) -> tuple[str, str, str | None]:
    """Return the text at the place of the only problem, its message and its hint."""
    text = f"name: one\nagents:\n  - {{name: b, output_format: json}}\n  - {{name: a, {agent}}}\n"
    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(text)
    (problem,) = raised.value.problems
    return text.splitlines()[problem.line - 1][problem.column - 1 :], problem.message, problem.hint


@pytest.mark.parametrize(
    ("agent", "place", "hint"),
    [
        ("fan_out: {over: [x], mx: 5}", "mx: 5", "Did you mean `max`?"),
        ("fan_out: {over: [x], max: 0}", "0}", None),
        ("fan_out: {over: [x], as: 'a b'}", "'a b'", None),
        ("fan_out: {over: [x], on_item_failure: kep}", "kep", "Did you mean `keep`?"),
        ("fan_out: {over: words}", "words", None),
        ("samples: {mx: 5}", "mx: 5", "Did you mean `max`?"),
        ("samples: {max: 5, ahead: 9}", "9}", None),
        ("samples: {max: 1}", "1}", None),
        ("samples: 3, vote: {chose: x}", "chose: x", "Did you mean `choose`?"),
        ("samples: 3, vote: {choose: 7}", "7}", None),
        ("samples: 3, vote: {choose: x, by: '${task}'}", "'${task}'", None),
        ("samples: {max: 3, ahead: 2}, vote: choose", "samples", "Remove `ahead`."),
        ("samples: 3, vote: verdict", "vote", "Add it: `schema: {verdict: …}`."),
        ("samples: 3, vote: a.b, output_format: json", "vote", "Add it: `schema: {a: …}`."),
        ("repairs: 1", "repairs", "Add `schema`, or remove `repairs`."),
        ("loop: {agnts: [{name: w}]}", "agnts", "Did you mean `agents`?"),
        ("loop: {ensembl: x}", "ensembl", "Did you mean `ensemble`?"),
        ("approval: {mesage: ok?}", "mesage", "Did you mean `message`?"),
        ("dispatch: {bye: '${b}', to: {x: y}}", "bye", "Did you mean `by`?"),
        ("cache: {fr: 3d}", "fr: 3d", "As in `cache: {for: 30d}`."),
        ("cache: {for: soon}", "soon", None),
    ],
)
def test_what_is_wrong_within_a_value_is_found_at_its_place(agent: str, place: str, hint: str | None) -> None:
    found, _, said = problem_of(agent)

    assert found.startswith(place)
    assert said == hint


@pytest.mark.parametrize(
    ("agent", "hint"),
    [
        ("aproval: ok?", "Did you mean `approval`?"),
        ("lop: {agents: [{name: w}]}", "Did you mean `loop`?"),
        ("approval: ok?, model: x", "`model` is for agents that ask a model; this one has `approval`."),
        ("script: [ls], repairs: 1", "`repairs` is for agents that ask a model; this one has `script`."),
        ("stdin: text", "`stdin` is for agents with `script`; this one asks a model."),
    ],
)
def test_a_key_of_another_kind_of_agent_is_told(agent: str, hint: str) -> None:
    _, message, said = problem_of(agent)

    assert "has no key" in message
    assert said == hint


def test_what_a_vote_compares_has_to_be_in_the_schema() -> None:
    place, message, hint = problem_of("samples: 3, vote: verdct, schema: {verdict: [publish, revise]}")

    assert place.startswith("vote")
    assert message == "`vote` of agent `a` names `verdct`, which its schema does not have"
    assert hint == "Did you mean `verdict`?"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("name: one\nagents: [{nme: a}]\n", ["agent number 1 has no key `nme`"]),
        ("nme: one\nagents: [{name: a}]\n", ["the ensemble has no key `nme`"]),
        ("naming: one\nagents: [{name: a}]\n", ["the ensemble has no `name`"]),
        ("name: one\nagents: [{name: a, loop: {xyz: 1}}]\n", 2),
    ],
)
def test_a_misspelt_key_is_one_problem_and_a_missing_one_another(text: str, messages: list[str] | int) -> None:
    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(text)

    found = [problem.message for problem in raised.value.problems]
    assert found == messages or len(found) == messages


@pytest.mark.parametrize(("written", "seconds"), [("20", 20.0), ("20s", 20.0), ("5m", 300.0)])
def test_the_time_that_an_agent_waits_is_a_duration(written: str, seconds: float) -> None:
    agents = f"  - name: b\n  - name: a\n    depends_on: [b]\n    within: {written}\n"

    assert parse_ensemble_text(f"name: one\nagents:\n{agents}").ensemble.agents[1].within_s == seconds


@pytest.mark.parametrize(
    "agent",
    [
        "samples: 3, vote: choose",
        "samples: 3, vote: {choose: default, by: The shortest one.}",
        "samples: 3, vote: whole",
        "samples: 3, vote: a.b, schema: {a: {b: string}}",
        "repairs: 1, output_format: json",
        "repairs: 1, response_format: json",
        "repairs: 1, schema: {a: string}",
    ],
)
def test_votes_and_repairs_that_have_what_they_need(agent: str) -> None:
    parse_ensemble_text(f"name: one\nagents:\n  - {{name: a, {agent}}}\n")
