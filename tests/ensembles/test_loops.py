"""Loops in files: what is wrong is found when the file is read, at its place."""

from __future__ import annotations

import pytest

from llm_orc.agents.loop.work import LoopWork
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleCycle, EnsembleInvalid

TEXT = """\
name: one
inputs: {n: integer}
agents:
  - name: facts
  - name: revise
    loop:
      until: LINE
      agents:
        - {name: writer, prompt: "${facts} ${inputs.n} ${last.judge.x} ${round}"}
        - {name: judge, output_format: json, prompt: "${writer}"}
        - AGENT
"""


def problems_of(until: str = "${judge.score} > 3", agent: str = "{name: third}") -> list[tuple[str, int, int]]:
    with pytest.raises(EnsembleInvalid) as caught:
        parse_ensemble_text(TEXT.replace("LINE", until).replace("AGENT", agent))
    return [(p.message, p.line, p.column) for p in caught.value.problems]


def test_a_loop_needs_what_its_agents_refer_to() -> None:
    ensemble = parse_ensemble_text(
        TEXT.replace("LINE", "${judge.score} > ${inputs.n} && ${round} > 1").replace("AGENT", "{name: third}")
    ).ensemble
    plan = make_plan(ensemble)
    work = ensemble.agents[1].work

    assert plan.needs == {"facts": (), "revise": ("facts",)}
    assert plan.children["revise"]["loop"].needs == {"writer": (), "judge": ("writer",), "third": ()}
    assert isinstance(work, LoopWork)
    assert isinstance(work.body, NestedEnsemble)
    assert (work.keep, work.max_rounds, work.body.is_body) == ("last", 3, True)


@pytest.mark.parametrize(
    ("agent", "message", "column"),
    [
        ('{name: x, prompt: "${writr}"}', "agent `x`: `${writr}` names no agent, and nothing else known here", 30),
        ('{name: x, prompt: "${last.y}"}', "agent `x`: `${last.y}` names no agent of the round before", 30),
        ('{name: x, prompt: "${inputs.m}"}', "agent `x`: `${inputs.m}` is no input of this ensemble", 30),
        ("{name: x, depends_on: [facts]}", "agent `x` depends on `facts`, which is not an agent of this loop", 34),
        ("{name: judge}", "two agents are called `judge`, the first on line 10", 18),
        ('{name: x, prompt: "${revise}"}', "agent `revise` depends on itself: `revise → revise`", 30),
        ("{name: x, colour: red}", "agent `x` has no key `colour`", 21),
        ("{name: x, requires: 2, depends_on: [judge]}", "agent `x` requires 2 answers, and depends on 1", 31),
        ("[x]", "an agent must be a mapping, not a list", 11),
        (
            "{name: round, prompt: '${round}'}",
            "agent `round`: `${round}` may be the agent `round` or what is called so everywhere",
            34,
        ),
        (
            "{name: x, script: [echo, '${last.writer}']}",
            "agent `x`: `${last.writer}` is what a model or a tool has said, and no such answer becomes a part of a command",
            37,
        ),
        (
            "{name: x, script: [echo, '${facts}']}",
            "agent `x`: `${facts}` is what a model or a tool has said, and no such answer becomes a part of a command",
            37,
        ),
        (
            "{name: x, loop: {agents: [{name: y, script: [echo, '${facts}']}]}}",
            "agent `y`: `${facts}` is what a model or a tool has said, and no such answer becomes a part of a command",
            63,
        ),
    ],
)
def test_what_is_wrong_with_its_agents_is_at_its_place(agent: str, message: str, column: int) -> None:
    assert (message, 11, column) in problems_of(agent=agent)


@pytest.mark.parametrize(
    ("until", "message", "column"),
    [
        ("${jdge.score} > 3", "agent `revise`: `${jdge.score}` names no agent, and nothing else known here", 14),
        ("${judge.score} >", "agent `revise`: the condition ends too early", 14),
        ("${round} == 'a'", "agent `revise`: this compares a number with text, which are never equal", 14),
        ("${revise} > 3", "agent `revise` depends on itself: `revise → revise`", 14),
    ],
)
def test_its_condition_is_checked_against_its_agents(until: str, message: str, column: int) -> None:
    assert (message, 7, column) in problems_of(until)


def test_agents_that_wait_for_each_other_in_a_loop_are_a_cycle() -> None:
    cycle = "{name: a, depends_on: [b]}\n        - {name: b, depends_on: [a]}"

    with pytest.raises(EnsembleCycle) as caught:
        parse_ensemble_text(TEXT.replace("LINE", "${judge.score} > 3").replace("AGENT", cycle))

    assert caught.value.cycle == ("a", "b", "a")


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("loop: {}", "agent `l`: the loop says with neither `agents` nor `ensemble` what runs"),
        ("loop: {agents: []}", "`agents` must be a list of agents, not an empty one"),
        ("loop: 3", "`loop` must be a mapping, not a number"),
        ("loop: {agents: [{name: a}], ensemble: x}", "agent `l`: the loop has both `agents` and `ensemble`"),
        ("loop: {agents: [{name: a}], max_rounds: 0}", "`max_rounds` must be at least 1"),
        ("loop: {agents: [{name: a}], max_rounds: 5000}", "`max_rounds` must be at most 1000"),
        ("loop: {agents: [{name: a}], keep: best}", "agent `l`: nothing says which round is the best"),
        (
            "loop: {agents: [{name: a}], keep: last, by: a.x}",
            "agent `l`: `by` has no effect, as the answer of the last round is kept",
        ),
        (
            "loop: {agents: [{name: a}], by: a}",
            "agent `l`: `${a}` is all that the agent says, which is free text and no number",
        ),
        (
            "loop: {agents: [{name: a}], by: round}",
            "agent `l`: `${round}` is no answer of the agents in it",
        ),
        (
            "loop: {agents: [{name: a}], on_exhausted: fail}",
            "agent `l`: a loop without `until` always ends after its last round",
        ),
        (
            "loop: {agents: [{name: a}], answer: b}",
            "agent `l`: `answer` names `b`, which is no agent of the loop",
        ),
        ("loop: {ensemble: x, answer: b}", "agent `l`: `answer` is for a loop with `agents`"),
        (
            "loop: {agents: [{name: a}]}\n  inputs: {a: 1}",
            "agent `l`: the agents of the loop have no inputs of their own",
        ),
        (
            "loop: {agents: [{name: a}], carry: {a: 1}}",
            "agent `l`: the agents of the loop have no inputs of their own",
        ),
        ("loop: {agents: [{name: a}], rounds: 3}", "`loop` of agent `l` has no key `rounds`"),
    ],
)
def test_its_own_keys_are_checked(loop: str, message: str) -> None:
    with pytest.raises(EnsembleInvalid) as caught:
        parse_ensemble_text(f"name: x\nagents:\n- name: l\n  {loop}\n")

    assert [p.message for p in caught.value.problems] == [message]
