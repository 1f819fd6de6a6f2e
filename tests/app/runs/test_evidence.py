"""Agents whose answers quote a source, over real sockets and a real journal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llm_orc.agents.output import EvidenceCounts
from llm_orc.app.history.compare import compare_runs
from llm_orc.app.history.runs import get_run
from llm_orc.cli.run.plain_view import finished_words
from llm_orc.engine.events import AgentDelta, AgentFinished, AnswerRejected
from llm_orc.formats.json_result import result_value, schema
from llm_orc.runs.costs import CallsBefore
from llm_orc.sandbox.server import Sandbox
from llm_orc.schemas.validate import checker_for
from tests.app.conftest import Workspace, local, on_sandbox, run
from tests.app.runs.test_schemas import PATH, says
from tests.fakes.scripted_server import Scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TASK = "The meeting was moved\nto Monday. Bring “the plan”."
CLAIM = {"claim": "string", "quote": "string"}
OF_TASK = {"quote": "${task}"}


@pytest.fixture
async def server(workspace: Workspace) -> AsyncIterator[Scripted]:
    server = Scripted()
    await server.start()
    workspace.settings({"providers": {"openai-compatible": {"base_url": server.url}}})
    try:
        yield server
    finally:
        await server.stop()


def claim(quote: str) -> dict[str, str]:
    return {"claim": "c", "quote": quote}


def claims(*quotes: str) -> str:
    return json.dumps({"claims": [claim(quote) for quote in quotes]})


async def test_a_wrong_quote_is_sent_back_in_the_same_conversation(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says(json.dumps(claim("on Tuesday"))), says(json.dumps(claim('to Monday.  Bring "the plan"'))))
    workspace.ensemble("one", local("a", schema=CLAIM, evidence=OF_TASK))

    result, seen = await run(workspace.app(), "one", TASK)

    agent = result["a"]
    assert (agent.status, agent.validation, agent.evidence) == ("completed", "repaired 1", EvidenceCounts(1))
    (rejected,) = [event for event in seen.events if isinstance(event, AnswerRejected)]
    assert "`quote`: “on Tuesday” does not occur in `${task}`" in rejected.error.message
    said = [message["content"] for message in server.asked[1].json["messages"]]
    assert said[2] == json.dumps(claim("on Tuesday"))
    assert said[3].startswith("Your answer has quotes that do not occur in their source:\n- `quote`: “on Tuesday”")
    assert get_run(workspace.app(), "last").result == result
    value = result_value(result)
    assert checker_for(json.loads(schema())).complaints(value) == ()


async def test_after_the_last_repair_the_agent_fails_and_says_which_quote(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says(json.dumps(claim("on Tuesday"))))
    workspace.ensemble("one", local("a", schema=CLAIM, evidence=OF_TASK, repairs=1), local("b", depends_on=["a"]))

    result, _ = await run(workspace.app(), "one", TASK)

    error = result["a"].error
    assert error is not None
    assert error.code == "answer_invalid"
    assert error.message == (
        "the answer of agent `a` has quotes that do not occur in their source after one repair:"
        " `quote`: “on Tuesday” does not occur in `${task}`"
    )
    assert (result["b"].status, len(server.asked)) == ("skipped", 2)


async def test_items_without_evidence_are_dropped_after_the_last_repair(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says(claims("to Monday", "on Tuesday")))
    evidence = {"claims.quote": {"in": "${task}", "otherwise": "drop"}}
    workspace.ensemble(
        "one",
        local("a", schema={"claims": [CLAIM]}, evidence=evidence, repairs=0),
        local("b", prompt="${a.claims}"),
    )

    result, _ = await run(workspace.app(), "one", TASK)

    agent = result["a"]
    assert agent.data == json.loads(agent.response or "") == {"claims": [claim("to Monday")]}
    assert (agent.evidence, agent.attempts) == (EvidenceCounts(2, 1), 1)
    assert agent.notices == (
        "Dropped what has no evidence: `claims[1].quote`: “on Tuesday” does not occur in `${task}`.",
    )
    assert [("Tuesday" in asked.body.decode(), "Monday" in asked.body.decode()) for asked in server.asked[1:]] == [
        (False, True)
    ]


async def test_the_end_of_an_agent_is_told_with_all_its_calls_and_a_comparison_with_its_quotes(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says(json.dumps(claim("on Tuesday"))), says(json.dumps(claim("to Monday"))))
    workspace.ensemble("one", local("a", schema=CLAIM, evidence=OF_TASK))
    result, seen = await run(workspace.app(), "one", TASK)
    calls = CallsBefore()
    for event in seen.events:
        if not isinstance(event, AgentDelta):
            calls.apply(event)

    ended = next(event for event in seen.events if isinstance(event, AgentFinished))
    assert "finished, 20 tokens in, 10 out" in finished_words(ended, calls)
    other = replace(result["a"], evidence=EvidenceCounts(3, 1))
    record = get_run(workspace.app(), "last")
    compared = compare_runs(record, replace(record, result=replace(result, agents=(other,))))
    assert [(d.what, d.left, d.right) for d in compared.agents[0].differences] == [
        ("quotes", "1 (0 dropped)", "3 (1 dropped)")
    ]


async def test_nothing_is_dropped_that_the_schema_needs(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says(claims("on Tuesday")))
    schema = {
        "type": "object",
        "properties": {"claims": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
    }
    evidence = {"claims.quote": {"in": "${task}", "otherwise": "drop"}}
    workspace.ensemble("one", local("a", schema=schema, evidence=evidence, repairs=0))

    result, _ = await run(workspace.app(), "one", TASK)

    assert result["a"].error is not None
    assert result["a"].error.code == "answer_invalid"


async def test_each_item_of_a_fan_out_quotes_what_it_was_given(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says(json.dumps(claim("Bob paid"))))
    pages = [{"text": "Ada paid.\nBob paid."}, {"text": "Nobody paid."}]
    workspace.ensemble(
        "one",
        local(
            "a",
            fan_out={"over": pages},
            prompt="${item.text}",
            schema=CLAIM,
            evidence={"quote": "${item.text}"},
            repairs=0,
        ),
    )

    result, _ = await run(workspace.app(), "one", TASK)

    assert (result["a[0]"].status, result["a[1]"].status) == ("completed", "failed")
    assert result["a[0]"].evidence == EvidenceCounts(1)


async def test_what_an_agent_without_an_answer_would_have_said_is_no_source(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says(json.dumps(claim("Monday"))))
    workspace.ensemble(
        "one",
        local("left_out", when="${task} == ''"),
        local(
            "a",
            requires="none",
            prompt="${task}",
            schema=CLAIM,
            evidence={"quote": ["${left_out}", "${task}"]},
        ),
    )

    result, _ = await run(workspace.app(), "one", TASK)

    assert (result["a"].status, result["a"].evidence) == ("completed", EvidenceCounts(1))


async def test_a_rehearsal_looks_up_no_quotes(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble(
        "one",
        local("a", schema=CLAIM, evidence=OF_TASK),
        local("b", schema=CLAIM, evidence={"quote": "${a.claim}"}),
    )

    result, _ = await run(workspace.app(), "one", TASK, rehearse=True)

    assert [(agent.status, agent.evidence) for agent in result.agents] == [("completed", None)] * 2
