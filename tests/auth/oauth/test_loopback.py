"""The loopback redirect: RFC 8252 §7.3 and §8.3. Open only while a sign-in waits, deaf to everything else."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llm_orc.auth.oauth.authorize import NotOurs
from llm_orc.auth.oauth.loopback import CannotListen, Loopback
from llm_orc.errors import LoginFailed
from tests.fakes.people import visit


def accept(query: str) -> str:
    """Takes `code=right`, ends at `error=…`, ignores the rest."""
    if query == "code=right":
        return "right"
    if query.startswith("error="):
        raise LoginFailed("it was declined <b>by you</b>", error="access_denied")
    raise NotOurs("that was another one")


def is_open(uri: str) -> bool:
    parts = urlsplit(uri)
    with socket.socket(socket.AF_INET6 if ":" in (parts.hostname or "") else socket.AF_INET) as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


async def say(uri: str, data: bytes) -> bytes:
    """Send raw bytes and read until the other side closes."""
    parts = urlsplit(uri)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(data)
    await writer.drain()
    try:
        return await reader.read()
    finally:
        writer.close()


def request(
    uri: str, *, method: str = "GET", target: str = "/callback?code=right", host: str | None = None
) -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host or urlsplit(uri).netloc}\r\n\r\n".encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_the_redirect_is_a_literal_address_with_a_port_of_its_own() -> None:
    async with Loopback[str]() as one, Loopback[str]() as other:
        uris = {one.redirect_uri, other.redirect_uri}

    assert len(uris) == 2
    for uri in uris:
        parts = urlsplit(uri)
        assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")


async def test_the_callback_brings_what_accept_made_of_it_and_the_page_says_that_it_worked() -> None:
    async with Loopback[str]() as loopback:
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))

        found = await loopback.callback(accept)
        loopback.tell_worked()
    page = await browser

    assert found == "right"
    assert page.status == 200
    assert "You are signed in" in page.text


async def test_the_page_waits_for_the_exchange_and_says_why_it_failed() -> None:
    async with Loopback[str]() as loopback:
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
        await loopback.callback(accept)
        is_early = browser.done()
        loopback.tell_failed("the server said `invalid_grant` <script>")
    page = await browser

    assert not is_early
    assert page.status == 400
    assert "invalid_grant" in page.text
    assert "<script>" not in page.text


async def test_a_browser_is_not_kept_waiting_for_a_slow_exchange() -> None:
    async with Loopback[str](to_answer_s=0.01) as loopback:
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
        await loopback.callback(accept)

        page = await browser

    assert "in your terminal" in page.text


async def test_the_page_has_no_code_no_foreign_resource_and_asks_for_no_referrer() -> None:
    async with Loopback[str]() as loopback:
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
        await loopback.callback(accept)
        loopback.tell_worked()
    page = await browser

    assert "right" not in page.text.replace("You are signed in", "")
    assert "http" not in page.text
    assert "<script" not in page.text
    assert page.headers["Connection"] == "close"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_a_refusal_ends_the_waiting_and_stands_on_the_page() -> None:
    async with Loopback[str]() as loopback:
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?error=access_denied"))

        with pytest.raises(LoginFailed, match="declined"):
            await loopback.callback(accept)

    page = await browser
    assert page.status == 400
    assert "it was declined &lt;b&gt;by you" in page.text


_NOT_IT: list[tuple[str, Callable[[str], bytes], int]] = [
    ("favicon", lambda uri: request(uri, target="/favicon.ico"), 404),
    ("root", lambda uri: request(uri, target="/"), 404),
    ("longer path", lambda uri: request(uri, target="/callback/x?code=right"), 404),
    ("absolute form", lambda uri: request(uri, target=f"{uri}?code=right"), 404),
    ("POST", lambda uri: request(uri, method="POST"), 405),
    ("HEAD", lambda uri: request(uri, method="HEAD"), 405),
    ("OPTIONS", lambda uri: request(uri, method="OPTIONS"), 405),
    ("another state", lambda uri: request(uri, target="/callback?code=wrong"), 400),
    ("no query", lambda uri: request(uri, target="/callback"), 400),
    ("rebound name", lambda uri: request(uri, host="evil.example"), 400),
    ("name of the machine", lambda uri: request(uri, host=f"localhost:{urlsplit(uri).port}"), 400),
    ("another port", lambda uri: request(uri, host="127.0.0.1:1"), 400),
    ("no host", lambda uri: b"GET /callback?code=right HTTP/1.1\r\n\r\n", 400),
    ("two hosts", lambda uri: request(uri)[:-2] + b"Host: evil.example\r\n\r\n", 400),
    ("no HTTP", lambda uri: b"SSH-2.0-OpenSSH_9.9\r\n\r\n", 400),
    ("binary", lambda uri: b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    ("endless head", lambda uri: b"GET /" + b"x" * 20_000, 431),
]


@pytest.mark.parametrize(("ask", "status"), [row[1:] for row in _NOT_IT], ids=[row[0] for row in _NOT_IT])
async def test_whatever_else_comes_is_turned_away_and_the_sign_in_goes_on(
    ask: Callable[[str], bytes], status: int
) -> None:
    async with Loopback[str]() as loopback:
        waiting = asyncio.ensure_future(loopback.callback(accept))
        await asyncio.sleep(0)

        answer = await say(loopback.redirect_uri, ask(loopback.redirect_uri))
        is_early = waiting.done()
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
        found = await waiting
        loopback.tell_worked()
    await browser

    assert status_of(answer) == status
    assert not is_early
    assert found == "right"


async def test_a_second_callback_is_told_that_it_is_late() -> None:
    async with Loopback[str]() as loopback:
        first = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
        await loopback.callback(accept)

        second = await visit(f"{loopback.redirect_uri}?code=right")
        loopback.tell_worked()
    page = await first

    assert second.status == 409
    assert page.status == 200


async def test_who_says_nothing_is_cut_off_and_holds_nobody_up() -> None:
    async with Loopback[str](to_ask_s=0.01) as loopback:
        answer = await say(loopback.redirect_uri, b"GET /call")

    assert status_of(answer) == 408


async def test_open_connections_that_ask_nothing_do_not_delay_the_end() -> None:
    async with Loopback[str](to_ask_s=600) as loopback:
        parts = urlsplit(loopback.redirect_uri)
        idle = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(5)]
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
        await loopback.callback(accept)
        loopback.tell_worked()
        leaving_at = asyncio.get_running_loop().time()
    took_s = asyncio.get_running_loop().time() - leaving_at

    assert (await browser).status == 200
    assert took_s < 1.5
    for reader, writer in idle:
        assert await reader.read() == b""
        writer.close()


async def test_a_flood_of_connections_does_not_keep_the_browser_out_for_ever() -> None:
    async with Loopback[str](to_ask_s=0.2) as loopback:
        parts = urlsplit(loopback.redirect_uri)
        flood = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(64)]
        # Half are refused at once, the others when their time is up.
        for reader, writer in flood:
            await reader.read()
            writer.close()
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))

        found = await loopback.callback(accept)
        loopback.tell_worked()
    await browser

    assert found == "right"


async def leave_after_success(loopback: Loopback[str]) -> None:
    browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
    await loopback.callback(accept)
    loopback.tell_worked()
    await browser


async def leave_after_error(loopback: Loopback[str]) -> None:
    browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?error=access_denied"))
    try:
        await loopback.callback(accept)
    finally:
        await browser


async def leave_after_time(loopback: Loopback[str]) -> None:
    async with asyncio.timeout(0.01):
        await loopback.callback(accept)


async def leave_by_cancel(loopback: Loopback[str]) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    await loopback.callback(accept)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
@pytest.mark.parametrize("way", [leave_after_success, leave_after_error, leave_after_time, leave_by_cancel])
async def test_however_it_ends_no_port_task_or_descriptor_is_left(
    way: Callable[[Loopback[str]], asyncio.Future[None]],
) -> None:
    uris: list[str] = []

    async def once() -> None:
        async with Loopback[str]() as loopback:
            uris.append(loopback.redirect_uri)
            assert is_open(loopback.redirect_uri)
            await way(loopback)

    descriptors = open_descriptors()
    tasks = asyncio.all_tasks()

    (outcome,) = await asyncio.gather(asyncio.create_task(once()), return_exceptions=True)

    assert outcome is None or isinstance(outcome, LoginFailed | TimeoutError | asyncio.CancelledError)
    assert not is_open(uris[0])
    assert asyncio.all_tasks() == tasks
    await asyncio.sleep(0)  # the event loop drops its side of a closed connection on its next turn
    assert open_descriptors() == descriptors


async def test_where_ipv4_can_not_be_bound_ipv6_is_used() -> None:
    # 240.0.0.1 is reserved (RFC 1112 §4) and belongs to no machine.
    async with Loopback[str](hosts=("240.0.0.1", "::1")) as loopback:
        browser = asyncio.ensure_future(visit(f"{loopback.redirect_uri}?code=right"))
        found = await loopback.callback(accept)
        loopback.tell_worked()
    await browser

    assert found == "right"
    assert loopback.redirect_uri.startswith("http://[::1]:")


async def test_where_nothing_can_be_bound_it_says_why() -> None:
    with pytest.raises(CannotListen, match=r"240\.0\.0\.1: .*; 240\.0\.0\.2: "):
        await Loopback[str](hosts=("240.0.0.1", "240.0.0.2")).__aenter__()


async def test_a_fixed_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}: .*in use"):
            await Loopback[str](port=port, hosts=("127.0.0.1",)).__aenter__()


async def test_a_server_that_knows_only_the_name_localhost_gets_it() -> None:
    async with Loopback[str]("/auth/callback", name="localhost") as loopback:
        uri = loopback.redirect_uri
        port = urlsplit(uri).port
        browser = asyncio.ensure_future(
            say(f"http://127.0.0.1:{port}", request(uri, target="/auth/callback?code=right"))
        )
        await loopback.callback(accept)
        loopback.tell_worked()

    assert uri == f"http://localhost:{port}/auth/callback"
    assert status_of(await browser) == 200


def test_listening_needs_no_web_framework() -> None:
    source = Path(sys.modules[Loopback.__module__].__file__ or "").read_text(encoding="utf-8")

    assert "aiohttp" not in source
