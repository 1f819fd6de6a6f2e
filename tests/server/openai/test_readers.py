"""What clients of other machines are told, and what belongs to whom of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llm_orc.agents.path import AgentPath
from llm_orc.app.access.consent import Consent
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.serving.served import ServeTerms
from llm_orc.engine.events import AgentDelta, RunStarted
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.sandbox.faults import Fault, Hang
from llm_orc.sandbox.server import Sandbox
from llm_orc.server.answer import AnswerText
from llm_orc.server.guard import Guard
from llm_orc.server.http_server import Listening
from llm_orc.server.keys import read_keys
from tests.app.conftest import Workspace, local, on_sandbox
from tests.server.conftest import Place, Serve

OPEN = ServeTerms(Consent(), "open server")


def asked(model: str, text: str = "Is it so?", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def error_of(place: Place, body: dict[str, Any], **headers: str) -> tuple[int, str]:
    url = f"{place.base_url}/chat/completions"
    async with place.client.post(url, json=body, headers=headers) as response:
        return response.status, (await response.json())["error"]["message"]


async def test_the_owner_is_told_what_to_do_and_other_machines_only_where_the_owner_finds_it(
    workspace: Workspace, serve: Serve
) -> None:
    workspace.ensemble("one", {"name": "a", "provider": "anthropic-api"})
    async with serve() as place:
        assert "llm-orc auth add anthropic-api" in (await error_of(place, asked("one")))[1]
    async with serve(terms=OPEN) as place:
        status, message = await error_of(place, asked("one"), **{"X-Request-Id": "mine-1"})

    assert status == 503
    assert "mine-1" in message
    assert "llm-orc" not in message
    assert "anthropic" not in message
    assert "mine-1 (there is no API key for `anthropic-api`" in place.log[-1]


async def test_what_has_to_do_with_the_request_is_told_to_all(
    workspace: Workspace, sandbox: Sandbox, serve: Serve
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))
    async with serve(terms=OPEN) as place:
        assert "Did you mean `one`?" in (await error_of(place, asked("onee")))[1]
        assert "empty" in (await error_of(place, asked("one", " ")))[1]
        name = {"LLM-Orc-Conversation": "x" * 51}
        assert "at most 50" in (await error_of(place, asked("one"), **name))[1]


@pytest.mark.parametrize("name", [b"caf\xe9", b"last", b"\xff"], ids=repr)
async def test_a_conversation_that_has_no_name_is_the_clients_mistake(place: Place, name: bytes) -> None:
    header = {"LLM-Orc-Conversation": name.decode("utf-8", "surrogateescape")}
    host, _, port = place.origin.removeprefix("http://").partition(":")
    reading, writing = await asyncio.open_connection(host, int(port))
    body = b'{"model": "panel:one", "messages": [{"role": "user", "content": "x"}]}'
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *(f"{key}: {value}" for key, value in header.items()),
    ]
    writing.write("\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body)
    answer = await reading.read()
    writing.close()

    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_conversations_of_one_client_are_not_told_to_another(
    workspace: Workspace, sandbox: Sandbox, serve: Serve, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("key-of-ada-key-of-ada ada\nkey-of-bob-key-of-bob bob\n")
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))
    async with serve(Listening(guard=Guard(keys=read_keys(keys)))) as place:
        for key, text in (("ada", "My name is Ada."), ("bob", "What is my name?"), ("ada", "Who am I?")):
            headers = {
                "Authorization": f"Bearer key-of-{key}-key-of-{key}",
                "LLM-Orc-Conversation": "names",
            }
            url = f"{place.base_url}/chat/completions"
            async with place.client.post(url, json=asked("one", text), headers=headers) as response:
                assert response.status == 200

    _, of_bob, of_ada = sandbox.requests
    assert [m.content for m in of_bob.messages] == ["What is my name?"]
    assert of_ada.messages[0].content == "My name is Ada."


async def test_a_stream_is_kept_alive_before_its_run_begins(workspace: Workspace, serve: Serve) -> None:
    async with Sandbox(faults=[Fault(Hang())]) as hanging:
        workspace.settings(on_sandbox(hanging))
        workspace.ensemble("one", local("a"))
        async with serve(keep_alive_s=0.01) as place:
            url, name = f"{place.base_url}/chat/completions", {"LLM-Orc-Conversation": "busy"}
            first = asyncio.create_task(place.client.post(url, json=asked("one"), headers=name).__aenter__())
            await hanging.wait_for_requests(1)  # and holds the conversation
            async with place.client.post(url, json=asked("one", stream=True), headers=name) as second:
                assert second.status == 200
                assert "LLM-Orc-Run" not in second.headers
                assert (await second.content.readline()).startswith(b": ")
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize(("more", "streams"), [({}, True), ({"tools": ["files.read"]}, False)], ids=str)
def test_what_a_model_says_before_it_may_call_a_tool_is_not_sent_as_the_answer(
    workspace: Workspace, sandbox: Sandbox, more: dict[str, Any], streams: bool
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a", **more))
    ensemble: Ensemble = find_ensemble(workspace.app(), "one")
    text = AnswerText(ensemble)
    text.take(RunStarted(0.0, "run", "one", ("a",), "x", answer="a"))

    assert bool(text.take(AgentDelta(AgentPath("a"), "Let me look."))) is streams
    assert text.rest("Let me look. Found.").endswith(" Found.")


async def test_what_no_client_can_ask_is_not_offered_and_said_to_be_missing(
    workspace: Workspace, sandbox: Sandbox, serve: Serve
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.write(
        ".config/llm-orc/ensembles/none.yaml", "name: none\ntask: none\nagents: [{name: a, prompt: Go}]\n"
    )
    workspace.write(
        ".config/llm-orc/ensembles/needs.yaml",
        "name: needs\ninputs: {lang: {type: string}}\nagents: [{name: a, prompt: 'In ${inputs.lang}'}]\n",
    )
    workspace.write(".config/llm-orc/ensembles/broken.yaml", "name: broken\nagents: [{name: a, modell: m}]\n")
    async with serve() as place:
        assert "takes no task" in (await error_of(place, asked("none")))[1]
        assert "`lang`" in (await error_of(place, asked("needs")))[1]
        assert "broken" in (await error_of(place, asked("broken")))[1]
        async with place.client.get(f"{place.base_url}/models") as response:
            ids = {row["id"] for row in (await response.json())["data"]}
    assert not ids & {"none", "needs", "broken"}
