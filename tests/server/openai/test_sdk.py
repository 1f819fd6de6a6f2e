"""The official SDK against the server: what it asks for is a run, and what it reads is the ensemble's answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_orc.app.history.runs import RunsWanted, list_runs
from llm_orc.sandbox.faults import Cut, Fault, Hang, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox
from tests.fakes import sdks
from tests.server.conftest import Place, Serve

SERVED = RunsWanted("served")
TASK: Any = [{"role": "user", "content": "Is it so?"}]


@pytest.fixture
async def openai(place: Place) -> AsyncIterator[sdks.openai.AsyncOpenAI]:
    async with client_of(place) as client:
        yield client


def client_of(place: Place) -> sdks.openai.AsyncOpenAI:
    """The SDK as anybody would set it up, but that it needs no certificates here."""
    http = sdks.openai.DefaultAsyncHttpxClient(verify=False)
    return sdks.openai.AsyncOpenAI(base_url=place.base_url, api_key="none", max_retries=0, http_client=http)


async def test_models_are_ensembles_their_agents_and_profiles(openai: sdks.openai.AsyncOpenAI) -> None:
    models = [model async for model in await openai.models.list()]

    ids = [model.id for model in models]
    assert {"panel", "panel:one", "panel:two", "panel:writer", "profile:plain", "council"} <= set(ids)
    assert all(model.owned_by == "llm-orc" and model.created > 0 for model in models)
    assert (await openai.models.retrieve("panel:one")).id == "panel:one"


async def test_a_chat_completion_is_the_ensembles_answer(openai: sdks.openai.AsyncOpenAI, place: Place) -> None:
    completion = await openai.chat.completions.create(model="panel", messages=TASK)

    (run,) = list_runs(place.app, SERVED)
    assert completion.id == f"chatcmpl-{run.run_id}"
    assert completion.model == "panel"
    assert completion.choices[0].finish_reason == "stop"
    assert "canned" in (completion.choices[0].message.content or "")
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    assert (run.status, run.finished) == ("completed", 3)
    assert place.sandbox.request_count == 3


async def test_a_streamed_completion_has_the_same_text_in_pieces(openai: sdks.openai.AsyncOpenAI) -> None:
    whole = await openai.chat.completions.create(model="panel", messages=TASK)
    stream = await openai.chat.completions.create(
        model="panel", messages=TASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert len([piece for piece in pieces if piece]) > 1
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


async def test_a_response_is_the_ensembles_answer(openai: sdks.openai.AsyncOpenAI) -> None:
    response = await openai.responses.create(model="panel", input="Is it so?", instructions="Be brief.")

    assert response.status == "completed"
    assert "canned" in response.output_text
    assert response.usage is not None
    assert response.usage.total_tokens > 0


async def test_a_streamed_response_has_numbered_events_and_ends_completed(openai: sdks.openai.AsyncOpenAI) -> None:
    stream = await openai.responses.create(
        model="panel", input="Is it so?", stream=True, reasoning={"summary": "auto"}
    )
    events = [event async for event in stream]

    kinds = [event.type for event in events]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1]
    assert last.type == "response.completed"
    assert text == last.response.output_text
    progress = "".join(event.delta for event in events if event.type == "response.reasoning_summary_text.delta")
    assert "one has answered" in progress
    assert kinds.index("response.output_text.delta") > kinds.index("response.reasoning_summary_text.done")


async def test_messages_before_the_last_are_the_history_of_each_agent(
    openai: sdks.openai.AsyncOpenAI, place: Place
) -> None:
    messages: Any = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello, Ada."},
        {"role": "user", "content": "What is my name?"},
    ]
    await openai.chat.completions.create(model="panel", messages=messages)

    for request in place.sandbox.requests:
        said = [(m.role, m.content) for m in request.messages[:2]]
        assert said == [("user", "My name is Ada."), ("assistant", "Hello, Ada.")]


async def test_a_single_model_takes_the_clients_system_prompt_as_its_role(
    openai: sdks.openai.AsyncOpenAI, place: Place
) -> None:
    messages: Any = [{"role": "system", "content": "Speak Latin, ${task}."}, *TASK]
    await openai.chat.completions.create(model="profile:plain", messages=messages)

    (request,) = place.sandbox.requests
    assert request.system_prompt == "Speak Latin, ${task}."
    assert [m.content for m in request.messages] == ["Is it so?"]


async def test_agents_of_a_panel_keep_their_roles_and_get_the_clients_words_with_the_task(
    openai: sdks.openai.AsyncOpenAI, place: Place
) -> None:
    messages: Any = [{"role": "system", "content": "Speak Latin."}, *TASK]
    await openai.chat.completions.create(model="panel", messages=messages)

    first = place.sandbox.requests[0]
    assert first.system_prompt in {"You are one.", "You are two."}
    assert "Speak Latin." in first.messages[-1].content
    assert "Is it so?" in first.messages[-1].content


async def test_a_model_that_is_not_offered_is_not_found(openai: sdks.openai.AsyncOpenAI) -> None:
    with pytest.raises(sdks.openai.NotFoundError, match=r"did you mean `panel`|Did you mean `panel`") as caught:
        await openai.chat.completions.create(model="panell", messages=TASK)

    assert caught.value.code == "model_not_found"


async def test_no_provider_can_be_named_that_the_owner_does_not_offer(openai: sdks.openai.AsyncOpenAI) -> None:
    with pytest.raises(sdks.openai.NotFoundError):
        await openai.chat.completions.create(model="openai/gpt-5", messages=TASK)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"n": 2}, "one answer"),
        ({"response_format": {"type": "json_object"}}, "schema"),
        ({"tool_choice": "required", "tools": []}, "tools"),
    ],
    ids=str,
)
async def test_what_an_ensemble_cannot_do_is_refused_before_a_call(
    openai: sdks.openai.AsyncOpenAI, place: Place, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(sdks.openai.BadRequestError, match=says):
        await openai.chat.completions.create(model="panel", messages=TASK, **more)

    assert place.sandbox.request_count == 0


async def test_what_the_ensemble_decides_itself_is_said_to_be_ignored(openai: sdks.openai.AsyncOpenAI) -> None:
    response = await openai.chat.completions.with_raw_response.create(
        model="panel", messages=TASK, temperature=0.3, max_tokens=5
    )

    assert response.headers["LLM-Orc-Ignored"] == "temperature, max_tokens"


async def test_a_conversation_that_is_named_is_kept_by_the_server(
    openai: sdks.openai.AsyncOpenAI, place: Place
) -> None:
    for text in ("My name is Ada.", "What is my name?"):
        await openai.chat.completions.create(
            model="panel:one",
            messages=[{"role": "user", "content": text}],
            extra_headers={"LLM-Orc-Conversation": "ada"},
        )

    last = place.sandbox.requests[-1]
    assert last.messages[0].content == "My name is Ada."
    assert [m.role for m in last.messages] == ["user", "assistant", "user"]


async def test_an_image_is_refused_rather_than_left_out(openai: sdks.openai.AsyncOpenAI, place: Place) -> None:
    content: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    with pytest.raises(sdks.openai.BadRequestError, match="image_url"):
        await openai.chat.completions.create(
            model="panel",
            messages=[{"role": "user", "content": content}],
        )

    assert place.sandbox.request_count == 0


@pytest.mark.parametrize(("status", "expected"), [(429, 429), (500, 502), (400, 502)])
async def test_a_run_that_fails_is_an_error_of_its_kind(
    workspace: Workspace, serve: Serve, status: int, expected: int
) -> None:
    async with Sandbox(faults=[Fault(Status(status))]) as failing:
        workspace.settings(on_sandbox(failing, runs={"max_retries": 0}))
        workspace.ensemble("one", local("a"))
        async with (
            serve() as place,
            client_of(place) as client,
        ):
            with pytest.raises(sdks.openai.APIStatusError) as caught:
                await client.chat.completions.create(model="one", messages=TASK)
            assert caught.value.status_code == expected
            if status == 429:
                return  # the account is slowed down now
            with pytest.raises(sdks.openai.APIError):  # in a stream, after its beginning
                async for _ in await client.chat.completions.create(model="one", messages=TASK, stream=True):
                    pass


async def test_the_sdk_does_not_repeat_a_run_that_has_failed(workspace: Workspace, serve: Serve) -> None:
    async with Sandbox(faults=[Fault(Status(500))]) as failing:
        workspace.settings(on_sandbox(failing, runs={"max_retries": 0}))
        workspace.ensemble("one", local("a"))
        async with serve() as place, client_of(place) as client:
            with pytest.raises(sdks.openai.APIStatusError):
                await client.with_options(max_retries=2).chat.completions.create(model="one", messages=TASK)

            assert len(list_runs(place.app, SERVED)) == 1


async def test_an_answer_that_began_again_is_not_joined_to_what_was_sent(
    workspace: Workspace, serve: Serve
) -> None:
    async with Sandbox(faults=[Fault(Cut(2), times=1)], tokens_per_s=200) as failing:
        workspace.settings(on_sandbox(failing))
        workspace.ensemble("one", local("a"))
        async with (
            serve() as place,
            client_of(place) as client,
        ):
            whole = await client.chat.completions.create(model="one", messages=TASK)
            text = ""
            async for chunk in await client.chat.completions.create(model="one", messages=TASK, stream=True):
                text += chunk.choices[0].delta.content or ""

    assert text == whole.choices[0].message.content


async def test_a_client_that_goes_away_ends_its_run_which_can_be_resumed(
    workspace: Workspace, serve: Serve
) -> None:
    async with Sandbox(faults=[Fault(Hang())]) as hanging:
        workspace.settings(on_sandbox(hanging))
        workspace.ensemble("one", local("a"))
        async with (
            serve() as place,
            client_of(place) as client,
        ):
            stream = await client.chat.completions.create(model="one", messages=TASK, stream=True)
            await hanging.wait_for_requests(1)
            await stream.close()
            await hanging.wait_until_idle()

    (run,) = list_runs(place.app, SERVED)
    assert run.status == "interrupted"
