"""References in files: what is wrong is found when the file is read, with line and column."""

from __future__ import annotations

import pytest

from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleCycle, EnsembleInvalid


def problems_of(text: str) -> list[tuple[str, int, int, str | None]]:
    with pytest.raises(EnsembleInvalid) as caught:
        parse_ensemble_text(text)
    return [(p.message, p.line, p.column, p.hint) for p in caught.value.problems]


def test_a_reference_makes_a_dependency_and_the_order() -> None:
    ensemble = parse_ensemble_text(
        """\
name: one
agents:
  - {name: judge, prompt: "Judge ${writer}", system_prompt: "For ${ critic.name }"}
  - {name: critic, depends_on: writer}
  - {name: writer}
"""
    ).ensemble

    plan = make_plan(ensemble)

    assert plan.names == ("writer", "critic", "judge")
    assert plan.needs["judge"] == ("critic", "writer")


def test_each_unknown_name_is_at_its_place_in_every_style_of_text() -> None:
    text = """\
name: one
agents:
  - name: writer
    prompt: Write ${tsk}
  - name: judge
    system_prompt: "Be ${inputs.mood}."
    prompt: |
      Weigh ${writer}
        and ${writr} and ${writr}

      ${jduge}
  - name: third
    prompt: >-
      folded
      text of ${nobody}
"""

    assert [
        (line, column, message.partition("`${")[2].partition("}")[0])
        for message, line, column, _ in problems_of(text)
    ] == [
        (4, 19, "tsk"),
        (6, 24, "inputs.mood"),
        (9, 13, "writr"),
        (9, 26, "writr"),
        (11, 7, "jduge"),
        (15, 15, "nobody"),
    ]


def test_a_text_that_quotes_write_otherwise_is_placed_at_its_start() -> None:
    ((_, line, column, _),) = problems_of('name: one\nagents: [{name: a, prompt: "x \\u0024{b}"}]\n')

    assert (line, column) == (2, 28)


def test_a_literal_says_how_it_is_written() -> None:
    ((message, _, _, hint),) = problems_of("name: one\nagents: [{name: a, prompt: 'echo ${HOME}'}]\n")

    assert message == "agent `a`: `${HOME}` names no agent, and nothing else known here"
    assert hint == "A literal `${` is written `$${`."


@pytest.mark.parametrize(
    ("agents", "shown", "place"),
    [
        ("  - {name: a, prompt: 'x ${a}'}\n", "agent `a` depends on itself: `a → a`", (3, 26)),
        (
            "  - {name: a, prompt: '${b}'}\n  - {name: b, depends_on: [a]}\n",
            "agents wait for each other: `a → b → a`",
            (3, 24),
        ),
    ],
)
def test_a_cycle_of_references_is_shown_where_it_begins(agents: str, shown: str, place: tuple[int, int]) -> None:
    with pytest.raises(EnsembleCycle) as caught:
        parse_ensemble_text(f"name: one\nagents:\n{agents}")

    (problem,) = caught.value.problems
    assert (problem.message, (problem.line, problem.column)) == (shown, place)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agents: [{name: a, prompt: x, sees: task}]", "agent `a` has both `prompt` and `sees`"),
        (
            "agents: [{name: a, sees: dependencies}]",
            "agent `a` is asked nothing: it sees neither a task nor an answer",
        ),
        ("task: none\nagents: [{name: a}]", "agent `a` is asked nothing: it sees neither a task nor an answer"),
        (
            "task: none\nagents: [{name: a, prompt: x}, {name: b, depends_on: a, sees: task}]",
            "agent `b` is asked nothing: it sees neither a task nor an answer",
        ),
    ],
)
def test_an_agent_that_would_be_asked_nothing_or_twice_is_refused(text: str, message: str) -> None:
    ((said, *_),) = problems_of(f"name: one\n{text}\n")

    assert said == message


def test_a_graph_from_python_is_checked_before_it_runs() -> None:
    from llm_orc import AgentSpec, Ensemble, ModelWork

    with pytest.raises(EnsembleInvalid, match=r"agent `a` of `e`: `\$\{b\}` names no agent"):
        make_plan(Ensemble("e", (AgentSpec("a", ModelWork(prompt="${b}")),)))
    with pytest.raises(EnsembleInvalid, match="agent `a` of `e` depends on `b`, which is none"):
        make_plan(Ensemble("e", (AgentSpec("a", depends_on=("b",)),)))


def test_a_condition_of_the_ensemble_has_its_problems_at_their_place() -> None:
    text = "name: one\nfails_when: ${judge} == 'bad' || ${jugde.x} == 1\nagents: [{name: judge}]\n"

    ((message, line, column, hint),) = problems_of(text)

    assert (message, line, column) == ("`${jugde.x}` names no agent, and nothing else known here", 2, 34)
    assert hint is not None
    assert hint.startswith("Did you mean `${judge}`?")


@pytest.mark.parametrize(
    ("requires", "message"),
    [
        ("3", "agent `c` requires 3 answers, and depends on 2"),
        ("0", "`requires` must be at least 1"),
        ("most", "`requires` must be `all`, `any`, `none` or a whole number"),
        ("true", "`requires` must be `all`, `any`, `none` or a whole number"),
    ],
)
def test_a_quorum_is_a_number_of_those_that_there_are(requires: str, message: str) -> None:
    agents = f"[{{name: a}}, {{name: b}}, {{name: c, requires: {requires}, depends_on: a, prompt: '${{b}}'}}]"

    ((said, *_),) = problems_of(f"name: one\nagents: {agents}\n")

    assert said == message
