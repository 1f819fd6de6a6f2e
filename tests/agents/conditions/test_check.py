"""Comparisons that can never be what their author means are found before anything runs."""

from __future__ import annotations

import pytest

from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.spec import AgentGroup, AgentSpec
from llm_orc.agents.uses.graph import Finding, uses_of
from llm_orc.agents.work import ModelWork

INPUTS = (
    InputSpec("mode", enum=("fast", "slow")),
    InputSpec("count", "integer"),
    InputSpec("on", "boolean"),
    InputSpec("tags", "array"),
)


def findings_of(condition: str) -> tuple[Finding, ...]:
    agents = (
        AgentSpec("free"),
        AgentSpec("json", ModelWork(output_format="json")),
        AgentSpec("last", when=condition),
    )
    return uses_of(AgentGroup("g", agents, INPUTS)).findings


@pytest.mark.parametrize(
    ("condition", "message", "part"),
    [
        ("${free} == 'yes'", "this compares all that `free` says, which is free text", "${free} == 'yes'"),
        ("'yes' != ${free}", "this compares all that `free` says, which is free text", "'yes' != ${free}"),
        (
            "${free} in ['yes', 'no']",
            "this compares all that `free` says, which is free text",
            "${free} in ['yes', 'no']",
        ),
        ("${free} > 3", "this compares text with a number", "${free} > 3"),
        ("1 == 2", "this compares two constants, so it is always the same", "1 == 2"),
        (
            "${inputs.count} == '3'",
            "this compares a number with text, which are never equal",
            "${inputs.count} == '3'",
        ),
        ("${inputs.mode} == 'fats'", "input `mode` is never `fats`", "'fats'"),
        ("${inputs.mode} in ['fast', 'x']", "input `mode` is never `x`", "'x'"),
        (
            "${inputs.mode} == true",
            "this compares text with `true` or `false`, which are never equal",
            "${inputs.mode} == true",
        ),
        ("${inputs.on} < true", "this compares `true` or `false` with `true` or `false`", "${inputs.on} < true"),
        ("${inputs.count} && ${json.x}", "a number is neither true nor false", "${inputs.count}"),
        ("!${inputs.mode}", "text is neither true nor false", "${inputs.mode}"),
        ("${json.x} == 1 || 'x'", "text is neither true nor false", "'x'"),
        ("size(${inputs.count}) > 1", "a number has no size", "size(${inputs.count})"),
        ("size(${json.x})", "a number is neither true nor false", "size(${json.x})"),
        ("${json.x} in 'abc'", "this looks for something in text", "${json.x} in 'abc'"),
        (
            "${inputs.count} in ['1', '2']",
            "this looks for a number in a list that has none",
            "${inputs.count} in ['1', '2']",
        ),
        ("${nobody.x} == 1", "`${nobody.x}` names no agent, and nothing else known here", "${nobody.x}"),
        ("${run.id} == 1", "this compares text with a number, which are never equal", "${run.id} == 1"),
        ("[1, 2]", "a list is neither true nor false", "[1, 2]"),
        (
            "size(${json.x}) == '1'",
            "this compares a number with text, which are never equal",
            "size(${json.x}) == '1'",
        ),
    ],
)
def test_what_can_never_be_is_a_problem_of_its_part(condition: str, message: str, part: str) -> None:
    (finding, *_) = findings_of(condition)

    assert (finding.agent, finding.key, finding.message) == ("last", "when", message)
    if "size(${inputs.count})" not in part:
        assert condition[finding.start : finding.end] == part


@pytest.mark.parametrize(
    "condition",
    [
        "${json.x} == 'yes'",
        "has(${json})",
        "${free.verdict} == 'yes'",
        "${free}",
        "size(${free}) > 100",
        "${inputs.mode} == 'fast' && ${inputs.count} > 2 && ${inputs.on}",
        "${inputs.count} == 2.5",
        "${json.x} == null",
        "${inputs.tags} == []",
        "'x' in ${inputs.tags}",
        "${task} == 'go'",
        "${free} == ${json.x}",
        "!has(${json.error}) || size(${json.error}) == 0",
        "true",
    ],
)
def test_what_may_be_is_no_problem(condition: str) -> None:
    assert findings_of(condition) == ()


def test_free_text_has_a_way_out() -> None:
    (finding,) = findings_of("${free} == 'yes'")

    assert finding.hint == "Give it a `schema`, `{verdict: [yes, no]}`, and compare `${free.verdict} == 'yes'`."
