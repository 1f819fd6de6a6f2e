"""Whatever a server sends, and however much of it: a typed end, in time, and within a stated memory."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.net.bodies.bounded import ERROR_PAGE_BYTES, in_words
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.net.transport import Answer, TransportError, Trouble
from tests.examples import many
from tests.fakes.loopback import Cut, Loopback, Silence, answer, stream

MB = 10**6
JSON = {"content-type": "application/json"}


@pytest.fixture
async def small() -> AsyncIterator[Http]:
    async with Http(NetworkSettings(idle_timeout_s=20, max_answer_mb=1), max_connections=5) as http:
        yield http


def unsaid(body: bytes) -> list[bytes]:
    """An answer that does not say how long it is."""
    pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
    return [head, *pieces]


def packed(body: bytes, encoding: str) -> list[bytes]:
    squeezed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    return answer(squeezed, headers={"content-encoding": encoding})


@pytest.mark.parametrize(
    "script",
    [
        answer(b" " * (MB + 1)),
        unsaid(b" " * (MB + 1)),
        stream(*[b" " * 100_000] * 11),
        packed(b" " * (MB + 1), "gzip"),
        packed(b" " * (MB + 1), "deflate"),
        [b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999\r\n\r\n", Silence],
    ],
    ids=["length known", "until it closes", "chunks", "gzip", "deflate", "a length that never comes"],
)
async def test_an_answer_that_is_too_large_is_left_where_it_passes_the_limit(
    server: Loopback, small: Http, script: list[bytes]
) -> None:
    server.answers(script)

    with pytest.raises(TransportError) as caught:
        await small.send("POST", server.url, JSON, b"{}")

    assert (caught.value.trouble, caught.value.reason) == (Trouble.TOO_LARGE, "more than 1 MB arrived")


@pytest.mark.parametrize("is_packed", [False, True])
async def test_a_stream_that_is_too_large_is_left_where_it_passes_the_limit(
    server: Loopback, small: Http, is_packed: bool
) -> None:
    body = b": ping\n\n" * (MB // 8 + 1)
    headers = {"content-encoding": "gzip"} if is_packed else {}
    server.answers(answer(gzip.compress(body) if is_packed else body, 200, headers, "text/event-stream"))
    seen = 0

    def feed(piece: bytes) -> bool:
        nonlocal seen
        seen += len(piece)
        return False

    with pytest.raises(TransportError) as caught:
        await small.send("POST", server.url, JSON, b"{}", feed=feed)

    assert caught.value.trouble is Trouble.TOO_LARGE
    assert seen <= MB


@pytest.mark.parametrize("script", [answer(b" " * MB), unsaid(b" " * MB), packed(b" " * MB, "gzip")])
async def test_an_answer_of_just_the_limit_is_taken(server: Loopback, small: Http, script: list[bytes]) -> None:
    server.answers(script)

    assert len((await small.send("POST", server.url, JSON, b"{}")).body) == MB


async def test_of_an_error_page_only_the_beginning_is_read(server: Loopback, small: Http) -> None:
    server.answers(answer(b"<html>" + b" " * 3 * MB, 502, content_type="text/html"), answer({"ok": 1}))

    page = await small.send("POST", server.url, JSON, b"{}")
    after = await small.send("POST", server.url, JSON, b"{}")

    assert (page.status, page.body[:6], len(page.body)) == (502, b"<html>", ERROR_PAGE_BYTES)
    assert after.body == b'{"ok": 1}'


async def test_a_call_may_set_a_bound_of_its_own(server: Loopback, small: Http) -> None:
    server.answers(answer(b" " * 101))

    with pytest.raises(TransportError, match="more than 100 bytes arrived"):
        await small.send("GET", server.url, {}, most_bytes=100)


async def test_a_lively_stream_without_an_end_is_given_up_in_time(server: Loopback) -> None:
    server.answers(stream(*[b": ping\n\n"] * 100_000))
    limits = NetworkSettings(answer_timeout_s=0.2)

    async with Http(limits, 5) as http:
        with pytest.raises(TransportError) as caught:
            await http.send("POST", server.url, JSON, b"{}", feed=lambda piece: False)

    assert (caught.value.trouble, caught.value.reason) == (Trouble.TOO_SLOW, "no whole answer within 0.2 s")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_what_can_not_be_unpacked_is_no_lost_connection(
    server: Loopback, small: Http, encoding: str
) -> None:
    server.answers(answer(b"not packed at all", headers={"content-encoding": encoding}))

    with pytest.raises(TransportError) as caught:
        await small.send("POST", server.url, JSON, b"{}")

    assert caught.value.trouble is Trouble.GARBAGE


CHILD = """
import asyncio, resource, sys
from llm_orc.auth.oauth.endpoint import json_object, post
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.net.transport import TransportError

async def main(url):
    async with Http(NetworkSettings(max_answer_mb=4), 5) as http:
        async def said(call):
            try:
                return (await call).status
            except TransportError as e:
                return e.trouble.name
        first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in ("/plain", "/error", "/bomb"):
            print(path, await said(http.send("GET", url + path, {})))
        print("/stream", await said(http.send("GET", url + "/plain", {}, feed=lambda piece: False)))
        for path in ("/plain", "/bomb"):
            print("token", await said(post(http, url + path, {}, limit_s=60)))
        last = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print((last - first) // (1024 if sys.platform == "linux" else 1024 * 1024))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no getrusage")
async def test_memory_stays_within_three_times_the_limit_whatever_comes() -> None:
    """Answers of 200 MB against a limit of 4."""
    bomb = gzip.compress(b" " * 200 * MB, 1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = "502 Bad" if " /error" in head else "200 OK"
        extra = f"content-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n" if " /bomb" in head else ""
        writer.write(f"HTTP/1.1 {status}\r\nconnection: close\r\n{extra}\r\n".encode())
        try:
            if extra:
                writer.write(bomb)
            for _ in range(0 if extra else 400):
                writer.write(b" " * 500_000)
                await writer.drain()
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CHILD, url], capture_output=True, text=True, timeout=60, check=False
    )
    server.close()

    *said, grown_mb = run.stdout.splitlines()
    assert said == [
        "/plain TOO_LARGE",
        "/error 502",
        "/bomb TOO_LARGE",
        "/stream TOO_LARGE",
        "token TOO_LARGE",
        "token TOO_LARGE",
    ]
    assert int(grown_mb) <= 12


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 999 \r\n",
            b"HTTP/1.1 302 Found\r\nlocation: /\r\n",
            b"content-length: 5\r\n",
            b"content-length: -5\r\n",
            b"content-length: 99999999999999999999\r\n",
            b"transfer-encoding: chunked\r\n",
            b"content-encoding: gzip\r\n",
            b"content-encoding: br\r\n",
            b"content-type: application/json\r\n",
            b"content-type: text/event-stream\r\n",
            b"x: " + b"y" * 20_000 + b"\r\n",
            b"\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"ffffffffffffffff\r\n",
            gzip.compress(b"hello"),
            b"data: {}\n\n",
            b"\xff\xfe" * 20,
        ]
    ),
)


@settings(deadline=None, max_examples=many(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES, max_size=8), is_http=st.booleans(), ends=st.sampled_from([Cut, None]))
def test_whatever_bytes_come_a_call_ends_with_an_answer_or_a_trouble(
    pieces: list[bytes], is_http: bool, ends: type[Cut] | None
) -> None:
    script = [*([b"HTTP/1.1 200 OK\r\n"] if is_http else []), *pieces, b"\r\nconnection: close\r\n\r\n"]

    ended = asyncio.run(outcome(script, ends))

    assert isinstance(ended, Answer) or ended.reason.isprintable()


async def outcome(script: list[bytes], ends: type[Cut] | None) -> Answer | TransportError:
    server = Loopback()
    await server.start()
    # Connections that stay open where the bytes promise more: the silence ends them.
    server.answers([*script, *([ends] if ends else [Silence])])
    try:
        async with asyncio.timeout(20), Http(NetworkSettings(idle_timeout_s=0.05, max_answer_mb=1), 5) as http:
            return await http.send("POST", server.url, JSON, b"{}", feed=lambda piece: piece.endswith(b"\n\n"))
    except TransportError as e:
        return e
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("size", "words"), [(100, "100 bytes"), (1_500, "1.5 kB"), (64 * MB, "64 MB"), (5 * 10**9, "5000 MB")]
)
def test_sizes_are_said_as_people_write_them(size: int, words: str) -> None:
    assert in_words(size) == words
