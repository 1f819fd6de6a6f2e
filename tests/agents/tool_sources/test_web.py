"""`web.fetch`: what it fetches, how it is shown, and which addresses it never reaches."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from llm_orc.agents.tool_sources.web.hosts import Hosts
from llm_orc.agents.tool_sources.web.source import WebSource
from llm_orc.agents.tool_sources.web.text import text_of_html
from llm_orc.net.options import NetworkSettings
from llm_orc.net.public import is_public
from tests.agents.tool_sources.uses import called
from tests.fakes.loopback import Loopback, answer

HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    server = Loopback()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def web(server: Loopback) -> AsyncIterator[WebSource]:
    """Fetches from this one server although it is on loopback."""
    source = WebSource(NetworkSettings(), Hosts(private=(f"127.0.0.1:{server.port}",)))
    yield source
    await source.close()


async def test_shows_a_page_as_text_with_its_links(server: Loopback, web: WebSource) -> None:
    page = b"<html><head><title>A  page</title><style>p{}</style></head><body><h1>Top</h1><p>Read <a href='/b'>this</a>."
    server.answers(answer(page, headers=HTML))

    found = await called(web, "web.fetch", url=f"{server.url}/a#part")

    assert found.text == (f"Address: {server.url}/a\nTitle: A page\n\n# Top\n\nRead [this]({server.url}/b).")
    assert server.heard[0].target == "/a"
    assert not {"cookie", "authorization", "referer"} & set(server.heard[0].headers)


async def test_follows_redirects_and_says_where_they_led(server: Loopback, web: WebSource) -> None:
    server.answers(answer(b"", 302, {"location": "/there"}), answer(b"here it is", content_type="text/plain"))

    found = await called(web, "web.fetch", url=server.url)

    assert found.text == f"Address: {server.url}/there\n\nhere it is"


async def test_long_pages_come_in_parts(server: Loopback, web: WebSource) -> None:
    server.answers(answer(b"a" * 40_000 + b"b" * 10, content_type="text/plain"))

    first = await called(web, "web.fetch", url=server.url)
    rest = await called(web, "web.fetch", url=server.url, offset=40_000)

    assert "Characters: 0 to 40000 of 40010; go on with `offset: 40000`" in first.text
    assert rest.text.endswith("Characters: 40000 to 40010 of 40010\n\nbbbbbbbbbb")


async def test_what_is_too_large_is_cut(server: Loopback, web: WebSource) -> None:
    bomb = gzip.compress(b"x" * 9_000_000)
    server.answers(answer(bomb, headers={"content-encoding": "gzip"}, content_type="text/plain"))

    found = await called(web, "web.fetch", url=server.url)

    assert "The page is larger than what is read of it." in found.text


@pytest.mark.parametrize(
    ("status", "content_type", "body", "words"),
    [
        (404, "text/html", b"<p>Not here", "Status: 404\n\nNot here"),
        (200, "image/png", b"\x89PNG", "is no text: image/png"),
        (200, "application/octet-stream", b"x", "is no text: application/octet-stream"),
    ],
)
async def test_what_is_no_page_is_an_error(
    server: Loopback, web: WebSource, status: int, content_type: str, body: bytes, words: str
) -> None:
    server.answers(answer(body, status, content_type=content_type))

    found = await called(web, "web.fetch", url=server.url)

    assert found.is_error
    assert words in found.text


async def test_a_loop_of_redirects_ends(server: Loopback, web: WebSource) -> None:
    server.answers(answer(b"", 307, {"location": "/again"}))

    found = await called(web, "web.fetch", url=server.url)

    assert found.text.endswith("is redirected more than 8 times")


PRIVATE = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://100.100.100.200/",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:{port}/",
    "http://user:password@example.com/",
    "http:///nothing",
    "javascript:alert(1)",
    "/etc/passwd",
    "http://exa mple.com/",
    "http://example.com\r\nX: y/",
]


@pytest.mark.parametrize("url", PRIVATE)
async def test_nothing_private_is_reached(server: Loopback, url: str) -> None:
    server.answers(answer(b"secret", content_type="text/plain"))
    source = WebSource(NetworkSettings(connect_timeout_s=2), Hosts())

    found = await called(source, "web.fetch", url=url.format(port=server.port))
    await source.close()

    assert found.is_error
    assert "secret" not in found.text
    assert server.heard == []


@pytest.mark.parametrize(
    "target", ["http://localhost:{port}/x", "http://[::ffff:127.0.0.1]:{port}/", "file:///etc/passwd"]
)
async def test_no_redirect_leads_to_what_is_private(server: Loopback, web: WebSource, target: str) -> None:
    """The server itself may be fetched from, by the one name that is listed."""
    redirect = answer(b"", 302, {"location": target.format(port=server.port)})
    server.answers(redirect, answer(b"secret", content_type="text/plain"))

    found = await called(web, "web.fetch", url=server.url)

    assert found.is_error
    assert len(server.heard) == 1


async def test_a_proxy_is_not_sent_to_what_is_private(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.answers(answer(b"through the proxy", content_type="text/plain"))
    source = WebSource(NetworkSettings(), Hosts())

    refused = [await called(source, "web.fetch", url=f"http://{host}/") for host in ("10.1.2.3", "167837955")]
    public = await called(source, "web.fetch", url="http://93.184.215.14/")
    await source.close()

    assert all(one.is_error and "not of the public internet" in one.text for one in refused)
    assert public.text.endswith("through the proxy")
    assert [one.target for one in server.heard] == ["http://93.184.215.14/"]


async def test_only_listed_hosts_where_some_are_listed(server: Loopback) -> None:
    hosts = Hosts(allowed=("docs.example.org", "*.example.com:8443"))
    source = WebSource(NetworkSettings(), hosts)
    (tool,) = await source.tools("web.fetch")
    (any_host,) = await WebSource(NetworkSettings(), Hosts()).tools("web.fetch")

    refused = await called(source, "web.fetch", url="https://elsewhere.example.net/?q=what-i-have-read")

    assert refused.text.endswith("is not at a host that `web.allowed_hosts` lists")
    assert not tool.sends
    assert any_host.sends
    for url, is_allowed in {
        "https://docs.example.org/a": True,
        "https://DOCS.example.org./a": True,
        "https://docs.example.org.evil.net/": False,
        "https://evil-docs.example.org/": False,
        "https://a.example.com:8443/": True,
        "https://a.example.com/": False,
        "https://example.com:8443/": False,
        "https://docs.example.org@evil.net/": False,
    }.items():
        assert hosts.is_allowed(url) is is_allowed, url


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::5db8:d70e", True),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("198.18.0.1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
        ("::", False),
        ("name", False),
    ],
)
def test_which_addresses_are_public(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_html_becomes_text() -> None:
    page = """<nav><ul><li>One<li><b>Two</b></ul></nav><ol><li>a</li><li>b</li></ol>
    <pre>x =  1
y = 2</pre><table><tr><th>k</th><td>v</td></tr></table><script>evil()</script>
    <a href="javascript:x()">no link</a> <img alt="A cat"> &amp; <h2>Part</h2>text<br>more"""

    assert text_of_html(page, "https://example.com/").text == (
        "- One\n- Two\n\n1. a\n2. b\n\n```\nx =  1\ny = 2\n```\n\n | k | v\n\nno link [image: A cat] &\n\n## Part\n\ntext\nmore"
    )


@pytest.mark.parametrize(
    "page", ["<" * 60_000, "<a " * 60_000, "<!--" * 60_000, "<ul>" * 30_000, "<![CDATA[" * 50_000]
)
async def test_no_page_takes_long(page: str) -> None:
    async with asyncio.timeout(8):
        await asyncio.to_thread(text_of_html, page, "https://example.com/")
