"""Agents whose answers have to satisfy a schema, over real sockets and a real journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llm_orc.app.history.runs import RunsWanted, get_run, list_runs
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.engine.events import AnswerRejected
from llm_orc.errors import RunNotResumable
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run
from tests.fakes.scripted_server import Reply, Scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATH = "/chat/completions"
VERDICT = {"verdict": ["pass", "fail"], "score": {"type": "integer", "minimum": 1}, "note?": "string"}
GOOD = '{"verdict": "pass", "score": 3}'


def says(text: str, stop: str = "stop") -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": stop}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return Reply({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


@pytest.fixture
async def server(workspace: Workspace) -> AsyncIterator[Scripted]:
    server = Scripted()
    await server.start()
    workspace.settings({"providers": {"openai-compatible": {"base_url": server.url}}})
    try:
        yield server
    finally:
        await server.stop()


async def test_the_answer_is_data_and_the_provider_was_given_the_schema(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says('{"verdict": "pass", "score": 3, "note": null}'))
    workspace.ensemble("one", local("judge", schema=VERDICT))

    result, _ = await run(workspace.app(), "one")

    judge = result["judge"]
    assert (judge.status, judge.validation) == ("completed", "enforced")
    assert judge.data == json.loads(judge.response or "") == {"verdict": "pass", "score": 3}
    sent = server.asked[0].json["response_format"]
    assert sent["json_schema"]["schema"]["required"] == ["note", "score", "verdict"]
    assert get_run(workspace.app(), "last").result == result


async def test_a_wrong_answer_is_sent_back_with_what_is_wrong(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says("Sure! It passes."), says('{"verdict": "maybe", "score": 0}'), says(GOOD))
    workspace.ensemble("one", local("judge", schema=VERDICT))

    result, seen = await run(workspace.app(), "one", "Judge.")

    judge = result["judge"]
    assert (judge.data, judge.validation, judge.attempts) == (json.loads(GOOD), "repaired 2", 3)
    assert (judge.usage.input_tokens, len(judge.calls), result.total.calls) == (30, 3, 3)
    rejected = [event for event in seen.events if isinstance(event, AnswerRejected)]
    assert [event.attempt for event in rejected] == [2, 3]
    said = [message["content"] for message in server.asked[2].json["messages"]]
    assert said[1:3] == ["Judge.", "Sure! It passes."]
    assert '- `verdict`: "maybe" is not one of "pass" or "fail"' in said[-1]
    assert get_run(workspace.app(), "last").result == result


async def test_after_the_last_repair_the_agent_fails_with_what_is_wrong(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says('{"verdict": "pass"}'))
    workspace.ensemble("one", local("judge", schema=VERDICT, repairs=1))

    result, _ = await run(workspace.app(), "one")

    judge = result["judge"]
    assert judge.error is not None
    assert judge.error.code == "answer_invalid"
    assert judge.error.message == (
        'the answer of agent `judge` does not satisfy its schema after one repair: "score" is a required property'
    )
    assert (judge.response, judge.data) == (None, None)
    assert (len(server.asked), result.total.calls, result.total.input_tokens, result.unanswered) == (2, 2, 20, 0)


async def test_repairs_count_against_the_limit_of_calls(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says("no"))
    workspace.ensemble("one", local("judge", schema=VERDICT))

    result, _ = await run(workspace.app(), "one", max_calls=2)

    assert len(server.asked) == 2
    assert result["judge"].error is not None
    assert result["judge"].error.code == "budget_exceeded"


async def test_an_answer_that_was_cut_off_is_not_sent_back(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says('{"verdict": "pa', "length"))
    workspace.ensemble("one", local("judge", schema=VERDICT))

    result, _ = await run(workspace.app(), "one")

    assert result["judge"].error is not None
    assert "was cut off at `max_tokens`" in result["judge"].error.message
    assert len(server.asked) == 1


async def test_a_server_that_refuses_schemas_is_told_in_words(workspace: Workspace, server: Scripted) -> None:
    refusal = Reply({"error": {"message": "This response_format type is unavailable now"}}, 400)
    server.on(PATH, refusal, says(f"```json\n{GOOD}\n```"))
    workspace.ensemble("two", local("a", schema=VERDICT), local("b", schema=VERDICT, depends_on=["a"]))

    result, _ = await run(workspace.app(), "two")

    assert (result["a"].validation, result["a"].response) == ("prompted", GOOD)
    assert "response_format" not in server.asked[1].json
    assert '"verdict"' in server.asked[1].json["messages"][0]["content"]


async def test_a_value_that_is_no_object_comes_out_of_its_wrapping(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says('{"value": ["a", "b"]}'))
    workspace.ensemble("one", local("splitter", schema=["string"]))

    result, _ = await run(workspace.app(), "one")

    assert (result["splitter"].data, result["splitter"].response) == (["a", "b"], '["a", "b"]')


@pytest.mark.parametrize(
    "written",
    [
        {"output_format": "json"},
        {"response_format": "json"},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}},
    ],
)
async def test_earlier_spellings_ask_for_json_too(
    workspace: Workspace, server: Scripted, written: dict[str, Any]
) -> None:
    server.on(PATH, says("no JSON"), says('{"a": 1}'))
    workspace.ensemble("one", local("a", **written))

    result, _ = await run(workspace.app(), "one")

    assert (result["a"].data, result["a"].validation) == ({"a": 1}, "repaired 1")


async def test_the_schema_may_be_a_file_beside_the_ensemble(workspace: Workspace, server: Scripted) -> None:
    server.on(PATH, says(GOOD))
    workspace.ensemble("one", local("judge", schema="verdict.json"))
    file = workspace.write(".config/llm-orc/ensembles/verdict.json", '{"type": "object", "required": ["score"]}')

    first, _ = await run(workspace.app(), "one")
    file.write_text("{")
    resumed = await resume_run(workspace.app(), ResumeOptions(first.run_id))

    assert first["judge"].data == resumed["judge"].data == json.loads(GOOD)


@pytest.mark.parametrize("provider", ["openai-compatible", "anthropic-api", "openai", "google-gemini"])
async def test_canned_answers_satisfy_the_schema(workspace: Workspace, sandbox: Sandbox, provider: str) -> None:
    workspace.settings(on_sandbox(sandbox))
    schema = {**VERDICT, "parts": [{"name": "string"}], "at": {"type": "string", "minLength": 80}}
    workspace.ensemble(
        "one",
        local("judge", schema=schema, provider=provider),
        local("next", when="${judge.verdict} == 'pass'", prompt="${judge.parts.0.name}"),
    )

    result, _ = await run(workspace.app(), "one", rehearse=True)

    assert {agent.name: agent.status for agent in result.agents} == {"judge": "completed", "next": "completed"}
    assert "canned" in str(result["judge"].data)


async def test_a_turn_of_a_chat_without_a_conversation_is_asked_again_in_a_chat(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says("no"))
    workspace.ensemble("one", local("judge", schema=VERDICT, repairs=0))
    await run(workspace.app(), "one", is_chat=True)
    (turn,) = list_runs(workspace.app(), RunsWanted(kind="chat"))

    with pytest.raises(RunNotResumable) as refused:
        await resume_run(workspace.app(), ResumeOptions(turn.run_id))

    assert refused.value.hint == "Ask again in a chat: `llm-orc chat one`."
