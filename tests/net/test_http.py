"""The transport: what it sends, what it refuses to do, and how it says that it got nothing."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from llm_orc.errors import SettingsError
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.net.transport import TransportError, Trouble
from tests.fakes.loopback import Cut, Loopback, Silence, answer, stream
from tests.net.certificates import self_signed

JSON = {"content-type": "application/json"}


def kept_in(pieces: list[bytes]) -> Callable[[bytes], bool]:
    """Read a stream to its end, and keep each piece."""

    def feed(piece: bytes) -> bool:
        pieces.append(piece)
        return False

    return feed


async def test_sends_what_it_is_given_and_its_own_name(server: Loopback, http: Http) -> None:
    server.answers(answer({"ok": 1}, 418, {"X-Thing": "t"}))

    got = await http.send("POST", f"{server.url}/a/b?c=%2F", {**JSON, "x-api-key": "k"}, b'{"q": 1}')

    heard = server.heard[0]
    assert (heard.method, heard.target, heard.body) == ("POST", "/a/b?c=%2F", b'{"q": 1}')
    assert heard.headers["x-api-key"] == "k"
    assert heard.headers["user-agent"] == f"LLM-Orchestra/Python {version('llm-orc')}"
    assert (got.status, got.headers["x-thing"], got.body) == (418, "t", b'{"ok": 1}')


async def test_follows_no_redirect(server: Loopback, http: Http) -> None:
    server.answers(answer(b"", 307, {"location": f"{server.url}/elsewhere"}))

    got = await http.send("POST", server.url, JSON, b"{}")

    assert (got.status, got.headers["Location"]) == (307, f"{server.url}/elsewhere")
    assert len(server.heard) == 1


async def test_remembers_no_cookie(server: Loopback, http: Http) -> None:
    server.answers(answer(b"", headers={"set-cookie": "id=7"}))

    for _ in range(2):  # by name, because cookies are never kept for bare addresses
        await http.send("GET", f"http://localhost:{server.port}/", {})

    assert "cookie" not in server.heard[1].headers


async def test_takes_no_credential_from_netrc(
    server: Loopback, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers(answer())

    await http.send("GET", server.url, {})

    assert "authorization" not in server.heard[0].headers


async def test_sends_a_prompt_of_many_megabytes(server: Loopback, http: Http) -> None:
    server.answers(answer())
    body = b"x" * 5_000_000

    await http.send("POST", server.url, JSON, body)

    assert server.heard[0].body == body


async def test_unpacks_what_comes_compressed(server: Loopback, http: Http) -> None:
    server.answers(answer(gzip.compress(b"plain"), headers={"content-encoding": "gzip"}))

    assert (await http.send("GET", server.url, {})).body == b"plain"


async def test_passes_a_stream_on_as_it_comes_and_uses_its_connection_again(server: Loopback, http: Http) -> None:
    server.answers(stream(b"data: 1\n\n", b"data: 2\n\n"))
    pieces: list[bytes] = []

    *_, got = [await http.send("POST", server.url, JSON, b"{}", feed=kept_in(pieces)) for _ in range(3)]

    assert b"".join(pieces) == b"data: 1\n\ndata: 2\n\n" * 3
    assert (got.body, got.broken) == (b"", "")
    assert server.ever_opened == 1


async def test_a_stream_s_late_end_does_not_cost_its_connection(server: Loopback, http: Http) -> None:
    has_all = asyncio.Event()
    *pieces, end = stream(b"data: 1\n\n")
    server.answers([*pieces, has_all, end])

    def feed(piece: bytes) -> bool:
        has_all.set()
        return True

    for _ in range(3):
        has_all.clear()
        await http.send("POST", server.url, JSON, b"{}", feed=feed)

    assert server.ever_opened == 1


async def test_waits_for_nothing_after_the_last_event_it_wants(server: Loopback, http: Http) -> None:
    server.answers(stream(b"data: the end\n\n", Silence))

    async with asyncio.timeout(30):
        got = await http.send("POST", server.url, JSON, b"{}", feed=lambda p: True)

    assert got.broken == ""


async def test_says_why_a_stream_broke_off(server: Loopback, http: Http) -> None:
    server.answers(stream(b"data: 1\n\n", Cut))
    pieces: list[bytes] = []

    got = await http.send("POST", server.url, JSON, b"{}", feed=kept_in(pieces))

    assert pieces == [b"data: 1\n\n"]
    assert got.broken


async def test_what_the_reader_of_a_stream_raises_comes_through(server: Loopback, http: Http) -> None:
    server.answers(stream(b"data: 1\n\n", Silence))

    def fail(piece: bytes) -> bool:
        raise LookupError(piece)

    with pytest.raises(LookupError):
        await http.send("POST", server.url, JSON, b"{}", feed=fail)


async def trouble(http: Http, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await http.send("POST", url, {**JSON, "x-api-key": "sk-canary"}, b"{}")
    assert caught.value.__cause__ is None  # aiohttp's own error holds the request's headers
    assert "canary" not in caught.value.reason
    return caught.value


async def test_a_refused_connection_was_not_sent(http: Http) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        error = await trouble(http, f"http://127.0.0.1:{port}")

    assert error.trouble is Trouble.NOT_SENT
    assert str(port) in error.reason


async def test_an_unknown_name_was_not_sent(http: Http) -> None:
    error = await trouble(http, "http://no-such-host.invalid")

    assert error.trouble is Trouble.NOT_SENT
    assert error.reason == "the host name `no-such-host.invalid` can't be resolved"


async def test_a_connection_closed_without_an_answer_was_dropped(server: Loopback, http: Http) -> None:
    server.answers([Cut])

    assert (await trouble(http, server.url)).trouble is Trouble.DROPPED


async def test_a_body_that_ends_early_was_dropped(server: Loopback, http: Http) -> None:
    server.answers([b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{", Cut])

    assert (await trouble(http, server.url)).trouble is Trouble.DROPPED


async def test_an_answer_that_is_not_http_is_garbage(server: Loopback, http: Http) -> None:
    server.answers([b"SSH-2.0-OpenSSH_9.6\r\n", Cut])

    assert (await trouble(http, server.url)).trouble is Trouble.GARBAGE


@pytest.mark.parametrize("script", [[Silence], stream(b"data: 1\n\n", Silence)])
async def test_silence_longer_than_allowed_is_told_from_a_drop(server: Loopback, script: list[bytes]) -> None:
    server.answers(script)

    async with Http(NetworkSettings(idle_timeout_s=0.2), 5) as http:
        with pytest.raises(TransportError) as caught:
            await http.send("POST", server.url, JSON, b"{}", feed=lambda p: False)

    assert caught.value.trouble is Trouble.SILENT
    assert caught.value.reason == "no data for 0.2 s"


async def test_a_limit_covers_the_whole_exchange(server: Loopback, http: Http) -> None:
    server.answers([Silence])

    with pytest.raises(TransportError) as caught:
        await http.send("GET", server.url, {}, limit_s=0.1)

    assert caught.value.trouble is Trouble.TOO_SLOW


@pytest.mark.parametrize("key", ["two\nlines", "nul\x00"])
async def test_a_header_that_would_break_out_of_its_line_is_not_sent(
    server: Loopback, http: Http, key: str
) -> None:
    with pytest.raises(TransportError) as caught:
        await http.send("POST", server.url, {"x-api-key": key}, b"{}")

    assert caught.value.trouble is Trouble.INVALID
    assert key not in str(caught.value)
    assert server.heard == []


async def test_waiting_for_a_free_connection_is_never_too_long(server: Loopback) -> None:
    server.answers(answer({"ok": 1}))

    async with Http(NetworkSettings(connect_timeout_s=1, idle_timeout_s=1), max_connections=3) as http:
        answers = await asyncio.gather(*(http.send("POST", server.url, JSON, b"{}") for _ in range(300)))

    assert {got.status for got in answers} == {200}
    assert len(server.heard) == 300
    assert server.most_open <= 3


async def test_cancelling_a_call_closes_its_connection(server: Loopback, http: Http) -> None:
    server.answers(stream(b"data: 1\n\n", Silence))
    begun = asyncio.Event()

    def feed(piece: bytes) -> bool:
        begun.set()
        return False

    call = asyncio.ensure_future(http.send("POST", server.url, JSON, b"{}", feed=feed))
    await begun.wait()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(30):
        await server.none_open.wait()


# --- TLS --------------------------------------------------------------------------------------------------


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[tuple[Loopback, Path]]:
    certificate, context = self_signed(tmp_path, "127.0.0.1")
    loopback = Loopback()
    await loopback.start(context)
    loopback.answers(answer({"ok": 1}))
    yield loopback, certificate
    await loopback.stop()


async def test_an_unknown_certificate_is_refused(http: Http, tls: tuple[Loopback, Path]) -> None:
    server, _ = tls

    error = await trouble(http, server.url)

    assert error.trouble is Trouble.CERTIFICATE
    assert "self-signed" in error.reason.replace(" ", "-")
    assert server.heard == []


async def test_the_ca_file_is_trusted(tls: tuple[Loopback, Path]) -> None:
    server, certificate = tls

    async with Http(NetworkSettings(ca_file=certificate), 5) as http:
        assert (await http.send("GET", server.url, {})).status == 200


async def test_the_file_in_ssl_cert_file_is_trusted(
    tls: tuple[Loopback, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, certificate = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async with Http(NetworkSettings(), 5) as http:
        assert (await http.send("GET", server.url, {})).status == 200


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    certificate, context = self_signed(tmp_path, "api.example.com")
    server = Loopback()
    await server.start(context)

    async with Http(NetworkSettings(ca_file=certificate), 5) as http:
        error = await trouble(http, server.url)

    await server.stop()
    assert error.trouble is Trouble.CERTIFICATE
    assert server.heard == []


UNUSABLE = [None, "no certificate", "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"]


@pytest.mark.parametrize("content", UNUSABLE)
async def test_an_unusable_ca_file_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(SettingsError, match=str(file)) as caught:
        await Http(NetworkSettings(ca_file=file), 5).__aenter__()
    assert "network.ca_file" in (caught.value.hint or "")


@pytest.mark.parametrize("content", UNUSABLE)
async def test_an_unusable_file_in_ssl_cert_file_is_named(
    http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    with pytest.raises(SettingsError, match=str(file)) as caught:
        await http.send("GET", "https://127.0.0.1:9/", {})
    assert "SSL_CERT_FILE" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_bundle_that_can_not_be_used_is_refused_before_anything_is_sent(
    http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    http.check("http://127.0.0.1:9/")
    with pytest.raises(SettingsError, match=r"bundle\.pem"):
        http.check("https://127.0.0.1:9/")


async def test_a_refused_certificate_is_told_with_whom_it_was_checked_against(
    tls: tuple[Loopback, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = tls
    other, _ = self_signed(make(tmp_path / "other"), "127.0.0.1")
    more, _ = self_signed(make(tmp_path / "more"), "127.0.0.1")

    async with Http(NetworkSettings(ca_file=other), 5) as http:
        of_setting = await trouble(http, server.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(more))
    async with Http(NetworkSettings(ca_file=other), 5) as http:
        of_both = await trouble(http, server.url)

    assert of_setting.reason.endswith(f"trusted authorities: the system's and `{other}` (from `network.ca_file`)")
    assert f"trusted authorities: `{more}` (from SSL_CERT_FILE) and `{other}`" in of_both.reason


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder
