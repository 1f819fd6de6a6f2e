"""Files on their way to a model, over real sockets: in a run, after a repair, and in later turns of a conversation."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from llm_orc.app.files.given import FileData, GivenFiles, take
from llm_orc.app.files.read import FileReader
from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.history.runs import delete_runs, get_run
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.errors import InputError
from tests.app.conftest import Workspace, local, run
from tests.fakes.scripted_server import Reply, Scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.runs.results import RunResult

PNG = b"\x89PNG\r\n\x1a\n\0\0"
URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
IMAGE = {"type": "image_url", "image_url": {"url": URL}}


def says(text: str) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return Reply({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


@pytest.fixture
async def server(workspace: Workspace) -> AsyncIterator[Scripted]:
    server = Scripted()
    await server.start()
    workspace.settings({"providers": {"openai-compatible": {"base_url": server.url}}})
    server.on("/chat/completions", says("A cat."))
    try:
        yield server
    finally:
        await server.stop()


def given(workspace: Workspace, *files: FileData) -> GivenFiles:
    reader = FileReader(workspace.app())
    return GivenFiles(tuple(take(one, reader, "--attach") for one in files), reader.contents)


async def ask(workspace: Workspace, name: str, task: str, *files: FileData, **more: Any) -> RunResult:
    result, _ = await run(workspace.app(), name, task, given=given(workspace, *files), **more)
    return result


def sent(server: Scripted) -> list[list[Any]]:
    """The contents of each request's messages, without the system prompt."""
    return [[m["content"] for m in one.json["messages"] if m["role"] != "system"] for one in server.asked]


async def test_files_of_the_task_go_with_the_agents_that_see_it(workspace: Workspace, server: Scripted) -> None:
    workspace.ensemble("one", local("seer"), local("deaf", prompt="Say hello."))

    result = await ask(workspace, "one", "What is it?", FileData("cat.png", PNG))
    app = workspace.app()
    await fork_run(app, origin_of(app, result.run_id), ForkOptions(("seer",)))

    with_image = [[IMAGE, {"type": "text", "text": "What is it?"}]]
    assert sorted(sent(server), key=str) == sorted([with_image, ["Say hello."], with_image], key=str)
    assert [one.name for one in get_run(app, "last").result.files] == ["cat.png"]


async def test_an_answer_that_is_sent_back_leaves_the_files_where_they_were(
    workspace: Workspace, server: Scripted
) -> None:
    server.on("/chat/completions", says("It is a cat."), says('{"is": "cat"}'))
    workspace.ensemble("one", local("seer", schema={"is": "string"}))

    result = await ask(workspace, "one", "What?", FileData("cat.png", PNG))

    assert result["seer"].data == {"is": "cat"}
    first, again = sent(server)
    assert again[:2] == [first[0], "It is a cat."]
    assert IMAGE in again[0]
    assert isinstance(again[2], str)


async def test_the_files_of_a_turn_stay_in_the_conversation(workspace: Workspace, server: Scripted) -> None:
    workspace.ensemble("one", local("seer"))
    talk = {"conversation": ConversationOptions("pets")}

    first = await ask(workspace, "one", "What is it?", FileData("cat.png", PNG), **talk)
    delete_runs(workspace.app(), [first.run_id])
    await ask(workspace, "one", "Which colour?", FileData("note.txt", "grün".encode("utf-16")), **talk)
    await ask(workspace, "one", "Sure?", **talk)

    assert sent(server)[2] == [
        [IMAGE, {"type": "text", "text": "What is it?"}],
        "A cat.",
        [{"type": "text", "text": "File `note.txt`:\n\ngrün"}, {"type": "text", "text": "Which colour?"}],
        "A cat.",
        "Sure?",
    ]


async def test_contents_end_with_the_last_conversation_that_has_them(
    workspace: Workspace, server: Scripted
) -> None:
    from llm_orc.app.conversations.archive import delete_conversations

    workspace.ensemble("one", local("seer"))
    asked = ConversationOptions("pets")
    result = await ask(workspace, "one", "What is it?", FileData("cat.png", PNG), conversation=asked, record=False)
    app = workspace.app()

    assert result.recorded is False
    assert len(list(app.paths.files.glob("??/*"))) == 1
    delete_conversations(app, ["pets"])
    assert not list(app.paths.files.glob("??/*"))


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.zip", b"PK\x03\x04", "takes images, PDF and text, not `application/zip`"),
        ("a.tiff", b"II*\x00", "not `image/tiff`"),
        ("a.bin", b"\0\1", "not `application/octet-stream`"),
    ],
)
async def test_what_a_protocol_has_no_place_for_is_refused_before_anything_is_sent(
    workspace: Workspace, server: Scripted, name: str, data: bytes, why: str
) -> None:
    workspace.ensemble("one", local("seer"))

    with pytest.raises(InputError) as caught:
        await ask(workspace, "one", "What?", FileData(name, data))

    assert caught.value.message.startswith(f"agent `seer` can't give the file `{name}` to `openai-compatible`")
    assert why in caught.value.message
    assert not server.asked
    assert not workspace.app().paths.files.exists()


async def test_an_estimate_counts_what_goes_with_a_prompt(workspace: Workspace, server: Scripted) -> None:
    workspace.environ = {"OPENAI_API_KEY": "sk-test-1234567890"}
    workspace.settings({"providers": {"openai": {"base_url": server.url}}})
    agent = {"name": "seer", "provider": "openai", "model": "gpt-5.5"}
    workspace.ensemble("one", agent)
    plans = []
    for files in ((), (FileData("cat.png", PNG),)):
        asked = given(workspace, *files)
        _, seen = await run(workspace.app(), "one", "What?", given=asked, allow_metered=True)
        plans.append(seen.plans[0].estimate())

    without, with_image = plans
    assert without is not None
    assert with_image is not None
    assert (with_image.likely_usd or 0) > (without.likely_usd or 0) > 0
    assert (with_image.most_usd or 0) > (without.most_usd or 0)
