"""The server around the answers: what it records, refuses, lists, and how it starts and stops."""

from __future__ import annotations

import asyncio
import io
import json
import time
from typing import Any

import aiohttp
import pytest

from llm_orc.errors import InputError, StorageError
from llm_orc.sandbox.faults import Fault, Hang
from llm_orc.sandbox.model_lists import INDEX
from llm_orc.sandbox.server import DIALECTS as SERVED
from llm_orc.sandbox.server import Sandbox
from tests.sandbox.calls import CALLS, DIALECTS, PROMPT, SYSTEM, VERSION, ask, send

KEY_HEADERS = {
    "anthropic": {"x-api-key": "sk-canary"},
    "openai-chat": {"authorization": "Bearer sk-canary"},
    "openai-responses": {"authorization": "Bearer sk-canary"},
    "gemini": {"x-goog-api-key": "sk-canary"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_is_recorded_as_it_was_on_the_wire(dialect: str, stream: bool) -> None:
    async with Sandbox() as sandbox:
        await ask(sandbox, dialect, stream=stream, headers=KEY_HEADERS[dialect])

        (request,) = sandbox.requests
    name, value = next(iter(KEY_HEADERS[dialect].items()))
    assert request.dialect == dialect
    path = CALLS[dialect].streamed_path if stream else CALLS[dialect].path
    assert request.path == path.removesuffix("?alt=sse")
    assert request.model == "canned"
    assert request.system_prompt == SYSTEM
    assert [(message.role, message.content) for message in request.messages] == [("user", PROMPT)]
    assert request.stream is stream
    assert request.headers[name.title()] == value
    assert PROMPT.encode() in request.body


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_repr_of_a_recorded_request_hides_credentials_and_content(dialect: str) -> None:
    async with Sandbox() as sandbox:
        await ask(sandbox, dialect, headers=KEY_HEADERS[dialect])

        shown = repr(sandbox.requests)
    assert "sk-canary" not in shown
    assert "***" in shown
    assert PROMPT not in shown


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_conversations_keep_their_roles(dialect: str) -> None:
    openai: list[dict[str, Any]] = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "three"}]},
    ]
    gemini: list[dict[str, Any]] = [
        {"role": "user", "parts": [{"text": "one"}]},
        {"role": "model", "parts": [{"text": "two"}]},
        {"role": "user", "parts": [{"text": "three"}]},
    ]
    field = {"openai-responses": "input", "gemini": "contents"}.get(dialect, "messages")

    async with Sandbox() as sandbox:
        conversation: dict[str, Any] = {field: gemini if dialect == "gemini" else openai}
        await ask(sandbox, dialect, **conversation)

        (request,) = sandbox.requests
    roles = [(message.role, message.content) for message in request.messages]
    assert roles == [("user", "one"), ("assistant", "two"), ("user", "three")]


async def test_a_sandbox_that_keeps_no_requests_still_counts_them() -> None:
    async with Sandbox(keep_requests=False) as sandbox:
        await ask(sandbox, "anthropic")
        await ask(sandbox, "gemini")

        assert sandbox.requests == []
        assert sandbox.request_count == 2


async def test_waiting_for_requests_returns_when_the_last_one_has_come() -> None:
    async with Sandbox(faults=[Fault(Hang())]) as sandbox, asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(sandbox, dialect)) for dialect in DIALECTS]

        requests = await sandbox.wait_for_requests(len(DIALECTS))

        assert sorted(request.dialect for request in requests) == DIALECTS
        assert sandbox.requests_in_progress == len(DIALECTS)
        for task in tasks:
            task.cancel()
        await sandbox.wait_until_idle()
        assert sandbox.requests_in_progress == 0


async def test_waiting_for_a_request_that_never_comes_times_out() -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(TimeoutError):
            await sandbox.wait_for_requests(1, timeout_s=0.01)


@pytest.mark.parametrize("tokens", [None, 2])
async def test_it_stops_at_once_though_answers_hang(tokens: int | None) -> None:
    async with asyncio.TaskGroup() as group:
        async with Sandbox(faults=[Fault(Hang(tokens))]) as sandbox:
            asking = [group.create_task(_broken_off(sandbox)) for _ in range(20)]
            await sandbox.wait_for_requests(20)
            began = time.monotonic()

        assert time.monotonic() - began < 3
    assert all(task.result() for task in asking)


async def _broken_off(sandbox: Sandbox) -> bool:
    try:
        await ask(sandbox, "openai-chat", stream=True)
    except aiohttp.ClientError:
        return True
    return False


async def test_nothing_listens_after_it_stopped() -> None:
    async with Sandbox() as sandbox:
        pass

    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(sandbox, "anthropic")


async def test_five_hundred_streams_at_once_all_arrive() -> None:
    async with Sandbox(keep_requests=False) as sandbox, asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(sandbox, "anthropic", stream=True)) for _ in range(500)]

    assert all(b"message_stop" in task.result().body for task in tasks)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.com", "::"])
def test_it_refuses_to_listen_beyond_loopback(host: str) -> None:
    with pytest.raises(InputError, match="not a loopback address"):
        Sandbox(host=host)


async def test_a_port_in_use_is_named() -> None:
    async with Sandbox() as sandbox:
        port = int(sandbox.origin.rsplit(":", 1)[1])

        with pytest.raises(StorageError, match=f"port {port}"):
            await Sandbox(port=port).__aenter__()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1:1234", "[2001:db8::1]:80"])
async def test_a_request_for_another_host_is_refused(host: str) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, "anthropic", headers={"host": host})

        assert got.status == 403
        assert sandbox.requests == []


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1", "[::1]", "[::1]:80"])
async def test_a_request_for_any_loopback_name_is_answered(host: str) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, "anthropic", headers={"host": host})

    assert got.status == 200


async def test_base_urls_are_what_each_sdk_takes() -> None:
    async with Sandbox() as sandbox:
        origin = sandbox.origin

        assert sandbox.base_url("anthropic") == origin
        assert sandbox.base_url("openai-chat") == f"{origin}/v1"
        assert sandbox.base_url("openai-responses") == f"{origin}/v1"
        assert sandbox.base_url("gemini") == origin


@pytest.mark.parametrize(
    ("dialect", "missing", "status", "said"),
    [
        ("anthropic", "model", 400, "model: Field required"),
        ("anthropic", "max_tokens", 400, "max_tokens: Field required"),
        ("anthropic", "messages", 400, "messages: Field required"),
        ("openai-chat", "model", 400, "you must provide a model parameter"),
        ("openai-chat", "messages", 400, "Missing required parameter: 'messages'."),
        ("openai-responses", "model", 400, "you must provide a model parameter"),
        ("openai-responses", "input", 400, "Missing required parameter: 'input'."),
        ("gemini", "contents", 400, "contents is not specified"),
    ],
)
async def test_a_request_without_a_required_field_is_refused(
    dialect: str, missing: str, status: int, said: str
) -> None:
    body = {name: value for name, value in CALLS[dialect].body.items() if name != missing}

    async with Sandbox() as sandbox:
        got = await send(sandbox, CALLS[dialect].path, _json(body))

    assert got.status == status
    assert said in got.json["error"]["message"]


@pytest.mark.parametrize(
    ("dialect", "wrong", "said"),
    [
        ("anthropic", {"messages": []}, "at least one message is required"),
        ("anthropic", {"messages": "hello"}, "valid list"),
        ("anthropic", {"messages": [{"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
        ("anthropic", {"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ("anthropic", {"messages": [{"role": "user", "content": " "}]}, "non-empty content"),
        ("anthropic", {"max_tokens": 0}, "greater than or equal to 1"),
        ("anthropic", {"max_tokens": "many"}, "valid integer"),
        ("openai-chat", {"messages": []}, "empty array"),
        ("openai-chat", {"messages": [{"role": "robot", "content": "x"}]}, "Invalid value: 'robot'"),
        ("openai-responses", {"input": []}, "empty array"),
        ("gemini", {"contents": []}, "contents is not specified"),
        ("gemini", {"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}, "valid role"),
        ("gemini", {"contents": [{"role": "user"}]}, "parts must not be empty"),
    ],
)
async def test_a_request_with_a_wrong_field_is_refused(dialect: str, wrong: dict[str, Any], said: str) -> None:
    async with Sandbox() as sandbox:
        got = await ask(sandbox, dialect, **wrong)

        assert len(sandbox.requests) == 1
    assert got.status == 400
    assert said in got.json["error"]["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2]", b'"text"', b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(dialect: str, body: bytes) -> None:
    async with Sandbox() as sandbox:
        got = await send(sandbox, CALLS[dialect].path, body)

    assert got.status == 400
    assert "JSON" in got.json["error"]["message"]


async def test_anthropic_wants_its_version_header() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        response = await session.post(f"{sandbox.origin}/v1/messages", json=CALLS["anthropic"].body)

        assert response.status == 400
        assert "anthropic-version" in await response.text()


async def test_gemini_streams_only_server_sent_events() -> None:
    async with Sandbox() as sandbox:
        got = await send(sandbox, "/v1beta/models/canned:streamGenerateContent", _json(CALLS["gemini"].body))

    assert got.status == 400
    assert "?alt=sse" in got.json["error"]["message"]


async def test_a_body_beyond_anthropics_limit_is_too_large() -> None:
    async with Sandbox() as sandbox:
        got = await send(sandbox, "/v1/messages", io.BytesIO(b" " * (32 * 1024 * 1024 + 1)))

    assert got.status == 413
    assert got.json["error"]["type"] == "request_too_large"


@pytest.mark.parametrize(
    ("dialect", "status", "said"),
    [
        ("anthropic", 401, "authentication_error"),
        ("openai-chat", 401, "invalid_api_key"),
        ("openai-responses", 401, "invalid_api_key"),
        ("gemini", 400, "API_KEY_INVALID"),
    ],
)
async def test_only_accepted_keys_are_answered_where_some_are_named(dialect: str, status: int, said: str) -> None:
    async with Sandbox(accept_keys={"sk-canary"}) as sandbox:
        right = await ask(sandbox, dialect, headers=KEY_HEADERS[dialect])
        wrong = await ask(sandbox, dialect, headers={k: f"{v}x" for k, v in KEY_HEADERS[dialect].items()})
        none = await ask(sandbox, dialect)

    assert right.status == 200
    assert wrong.status == none.status == status
    assert said.encode() in wrong.body
    assert b"sk-canary" not in wrong.body


@pytest.mark.parametrize(
    ("path", "headers", "kind"),
    [
        ("/v1/nothing", VERSION, "not_found_error"),
        ("/v1/nothing", {}, "unknown_url"),
        ("/v1beta/models/canned:countTokens", {}, "NOT_FOUND"),
    ],
)
async def test_an_unknown_path_is_not_found_in_the_clients_own_words(
    path: str, headers: dict[str, str], kind: str
) -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        response = await session.post(sandbox.origin + path, headers=headers)

        assert response.status == 404
        assert kind in await response.text()


async def test_the_lists_of_models_have_each_services_form() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:

        async def listed(path: str, headers: dict[str, str] | None = None) -> dict[str, list[dict[str, str]]]:
            async with session.get(sandbox.origin + path, headers=headers) as response:
                found: dict[str, list[dict[str, str]]] = await response.json()
                return found

        assert [model["id"] for model in (await listed("/v1/models"))["data"]] == ["canned-small", "canned-large"]
        assert (await listed("/v1/models", VERSION))["data"][0]["type"] == "model"
        assert (await listed("/v1beta/models"))["models"][0]["name"] == "models/canned-small"
        assert (await listed("/api/tags"))["models"][0]["name"] == "canned-small:latest"


async def test_the_page_at_the_root_says_what_it_is() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        page = await (await session.get(sandbox.origin)).text()
        head = await session.head(sandbox.origin)

    assert "Every answer it gives is canned" in page
    assert head.status == 200


def test_its_page_names_every_path_it_answers() -> None:
    fixed = [path for dialect in SERVED.values() for path in dialect.paths if "{" not in path]

    assert all(path in INDEX for path in fixed)


async def test_rate_limits_and_request_ids_are_in_the_headers() -> None:
    async with Sandbox() as sandbox:
        anthropic = (await ask(sandbox, "anthropic")).headers
        openai = (await ask(sandbox, "openai-chat")).headers

    assert anthropic["request-id"].startswith("req_")
    assert int(anthropic["anthropic-ratelimit-requests-remaining"]) > 0
    assert anthropic["anthropic-ratelimit-tokens-reset"].endswith("Z")
    assert openai["x-request-id"].startswith("req_")
    assert int(openai["x-ratelimit-remaining-tokens"]) > 0


def _json(body: object) -> bytes:
    return json.dumps(body).encode()
