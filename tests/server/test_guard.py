"""Which requests a server answers."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path

import pytest
from yarl import URL

from llm_orc.errors import InputError, StorageError
from llm_orc.server.guard import Guard, read_origin
from llm_orc.server.http_server import HttpServer, Listening
from llm_orc.server.keys import read_keys
from llm_orc.server.openai.errors import refused
from tests.server.conftest import Place, Serve

KEY = "canary-key-8241-canary-key"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4716", "169.254.169.254", "localhost.evil.example"]
)
async def test_a_request_for_another_host_is_refused(place: Place, host: str) -> None:
    async with place.client.get(f"{place.base_url}/models", headers={"Host": host}) as response:
        assert response.status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST:80"])
async def test_names_of_this_machine_are_answered(place: Place, host: str) -> None:
    async with place.client.get(f"{place.base_url}/models", headers={"Host": host}) as response:
        assert response.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_another_web_page_is_refused(place: Place, origin: str, method: str) -> None:
    url = f"{place.base_url}/chat/completions"
    async with place.client.request(method, url, headers={"Origin": origin}) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers
    assert place.sandbox.request_count == 0


async def test_a_web_page_that_the_owner_allows_is_answered(serve: Serve) -> None:
    guard = Guard(origins=frozenset({"https://chat.example"}))
    async with serve(Listening(guard=guard)) as place:
        headers = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
        async with place.client.options(f"{place.base_url}/chat/completions", headers=headers) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (
                204,
                "https://chat.example",
            )
        async with place.client.get(f"{place.base_url}/models", headers=headers) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (
                200,
                "https://chat.example",
            )


async def test_with_keys_only_clients_that_have_one_are_answered(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# who may ask\n{KEY} editor\nanother-key-of-enough-letters\n")
    async with serve(Listening(guard=Guard(keys=read_keys(file)))) as place:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": KEY}, 401),
            ({"Authorization": f"Bearer {KEY}"}, 200),
            ({"X-Api-Key": KEY}, 200),
        ):
            async with place.client.get(f"{place.base_url}/models", headers=headers) as response:
                assert (headers, response.status) == (headers, status)
                body = await response.text()
                assert KEY not in body
        async with place.client.get(f"{place.origin}/health") as response:
            assert response.status == 200
    assert sum(" editor GET /v1/models 200 " in line for line in place.log) == 2
    assert not any(KEY in line for line in place.log)


def test_a_server_for_other_machines_needs_keys() -> None:
    with pytest.raises(InputError, match="other machines") as caught:
        HttpServer([], Listening("0.0.0.0"), refused)

    assert "--token-file" in (caught.value.hint or "")


@pytest.mark.parametrize("content", ["", "# nothing\n", "short\n", "é\n"])
def test_keys_that_are_missing_or_can_be_guessed_are_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)

    with pytest.raises(InputError):
        read_keys(file)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Chat.Example", "https://chat.example"),
        ("https://chat.example:443/", "https://chat.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("app://obsidian.md", "app://obsidian.md"),
    ],
)
def test_an_origin_is_compared_as_browsers_write_it(text: str, origin: str) -> None:
    assert read_origin(text) == origin


@pytest.mark.parametrize("text", ["*", "null", "chat.example", "https://chat.example/app", "https://*", ""])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no origin"):
        read_origin(text)


async def test_an_address_of_another_machine_is_no_matter_of_the_port(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    elsewhere = Listening("192.0.2.1", guard=Guard(only_loopback=False, keys=read_keys(file)))

    with pytest.raises(StorageError, match="192") as caught:
        async with HttpServer([], elsewhere, refused):
            pass

    assert "--host" in (caught.value.hint or "")


async def test_a_port_in_use_is_named(place: Place) -> None:
    port = int(place.origin.rpartition(":")[2])

    with pytest.raises(StorageError, match=str(port)):
        async with HttpServer([], Listening(port=port), refused):
            pass


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"[" * 100_000, b"\xff\xfe"], ids=repr)
async def test_a_body_that_is_no_request_is_the_clients_mistake(place: Place, body: bytes) -> None:
    async with place.client.post(f"{place.base_url}/chat/completions", data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_a_body_that_is_too_large_is_refused(place: Place) -> None:
    async with place.client.post(
        f"{place.base_url}/responses", data=BytesIO(b" " * (33 * 1024 * 1024))
    ) as response:
        assert response.status == 413


async def test_paths_and_methods_that_there_are_not_are_named(place: Place) -> None:
    async with place.client.get(f"{place.base_url}/nothing") as response:
        assert response.status == 404
        assert "/v1/nothing" in (await response.json())["error"]["message"]
    async with place.client.get(f"{place.base_url}/responses") as response:
        assert response.status in {404, 405}


async def test_more_requests_than_allowed_are_told_to_come_again(serve: Serve) -> None:
    async with serve(Listening(most_requests=1)) as place:
        body = {"model": "panel", "messages": [{"role": "user", "content": "x"}]}
        first = asyncio.create_task(
            place.client.post(f"{place.base_url}/chat/completions", json=body).__aenter__()
        )
        statuses = set()
        while not first.done():
            async with place.client.post(f"{place.base_url}/chat/completions", json=body) as response:
                statuses.add(response.status)
                if response.status == 503:
                    assert response.headers["Retry-After"] == "1"
        (await first).close()
    assert statuses <= {404, 503}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/%0d%0aX-Evil:1", 404, "not_found"),
        ("GET", "/v1/%ff", 404, "not_found"),
        ("GET", "/v1/responses", 405, "method_not_allowed"),
    ],
)
async def test_every_refusal_is_an_error_of_its_kind_with_an_id(
    place: Place, method: str, path: str, status: int, code: str
) -> None:
    url = URL(f"{place.origin}{path}", encoded=True)
    async with place.client.request(method, url, headers={"X-Request-Id": "a b"}) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (status, code)
        assert response.headers["X-Request-Id"].startswith("req_")
        assert "X-Evil" not in response.headers
    assert response.headers["X-Request-Id"] in place.log[-1]
    assert "\n" not in place.log[-1]


@pytest.mark.parametrize(
    "line", [b"GET /\xff?key=canary HTTP/1.1", b"GET canary", b"\x16\x03\x01canary"], ids=repr
)
async def test_what_is_no_request_is_not_repeated_in_the_log(
    place: Place, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    host, _, port = place.origin.removeprefix("http://").partition(":")
    reading, writing = await asyncio.open_connection(host, int(port))
    writing.write(line + b"\r\nHost: localhost\r\n\r\n")

    assert b" 400 " in await reading.readline()
    writing.close()
    assert "canary" not in "".join([*place.log, *capfd.readouterr()])
