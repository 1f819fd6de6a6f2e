"""Proxies: who goes through one and who past it, and that a proxy's fault is told as the proxy's."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.errors import SettingsError
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.net.proxies.choice import Proxies
from llm_orc.net.proxies.no_proxy import NoProxy
from llm_orc.net.transport import TransportError, Trouble
from tests.fakes.loopback import Cut, Loopback, Script, Silence, answer

JSON = {"content-type": "application/json"}


async def trouble(http: Http, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await http.send("POST", url, {**JSON, "x-api-key": "sk-canary"}, b"{}")
    assert "secret" not in f"{caught.value.reason}{caught.value.hint}"
    return caught.value


async def test_a_request_goes_through_the_proxy(
    server: Loopback, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.answers(answer({"ok": 1}))

    got = await http.send("POST", "http://models.test/v1/chat", JSON, b"{}")

    assert got.status == 200
    assert server.heard[0].target == "http://models.test/v1/chat"


async def test_https_goes_through_the_proxy_as_a_tunnel(
    server: Loopback, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", server.url.replace("//", "//me:secret@"))
    server.answers(answer(b"", 403))

    error = await trouble(http, "https://models.test/v1/chat")

    assert (server.heard[0].method, server.heard[0].target) == ("CONNECT", "models.test:443")
    assert server.heard[0].headers["proxy-authorization"].startswith("Basic ")
    assert "x-api-key" not in server.heard[0].headers
    assert error.trouble is Trouble.NOT_SENT
    assert error.reason == f"the proxy answered 403, through the proxy `{server.url}` (from HTTPS_PROXY)"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("script", "kinds"),
    [
        ([b"SSH-2.0-OpenSSH_9.6\r\n", Cut], {Trouble.GARBAGE, Trouble.NOT_SENT, Trouble.DROPPED}),
        ([Cut], {Trouble.DROPPED, Trouble.NOT_SENT}),
        (answer(b"who are you?", 407), {Trouble.NOT_SENT}),
    ],
    ids=["no HTTP", "dropped", "407"],
)
async def test_whatever_is_wrong_at_a_proxy_is_told_of_the_proxy(
    server: Loopback, http: Http, monkeypatch: pytest.MonkeyPatch, scheme: str, script: Script, kinds: set[Trouble]
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", server.url.replace("//", "//me:secret@"))
    server.answers(script)

    error = await trouble(http, f"{scheme}://models.test/v1")

    assert error.trouble in kinds
    assert f"the proxy `{server.url}` (from {scheme}_proxy)" in error.reason
    assert error.hint == f"Correct {scheme}_proxy, or add `models.test` to NO_PROXY."


async def test_a_wrong_port_of_a_proxy_is_told_of_the_proxy(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("ALL_PROXY", proxy)

        error = await trouble(http, "https://models.test/v1")

    assert error.trouble is Trouble.NOT_SENT
    assert f"the proxy `{proxy}` (from ALL_PROXY)" in error.reason
    assert "ALL_PROXY" in error.hint


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_says_nothing_is_not_waited_for_without_end(
    server: Loopback, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", server.url)
    server.answers([Silence])

    async with asyncio.timeout(20), Http(NetworkSettings(connect_timeout_s=0.1, idle_timeout_s=0.3), 5) as http:
        error = await trouble(http, f"{scheme}://models.test/v1")

    assert error.trouble is (Trouble.NOT_SENT if scheme == "https" else Trouble.SILENT)
    assert "(from ALL_PROXY)" in error.reason


async def test_loopback_never_goes_through_a_proxy(
    server: Loopback, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answers(answer({"ok": 1}))

    assert (await http.send("GET", server.url, {})).status == 200


async def test_who_is_named_in_no_proxy_is_asked_directly(
    server: Loopback, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "other.test, *.invalid")

    await trouble(http, "http://models.invalid/")

    assert server.heard == []


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_direct"),
    [
        ("http://10.1.2.3/", "10.0.0.0/8", True),
        ("http://11.1.2.3/", "10.0.0.0/8", False),
        ("http://10.1.2.3/", "10.9.9.9/8", True),
        ("http://10.1.2.3/", "10.0.0.0/255.0.0.0", True),
        ("http://192.168.1.7/", "192.168.1.*", True),
        ("http://192.168.1.7/", "192.168.1.7", True),
        ("http://192.168.1.77/", "192.168.1.7", False),
        ("http://192.168.1.7:8000/", "192.168.1.7:8000", True),
        ("http://192.168.1.7:8001/", "192.168.1.7:8000", False),
        ("http://10.lan.test/", "10.0.0.0/8", False),
        ("http://llm.corp.test/", "*.corp.test", True),
        ("http://corp.test/", "*.corp.test", True),
        ("http://a.b.corp.test/", ".corp.test", True),
        ("http://llm.corp.test/", "corp.test", True),
        ("http://notcorp.test/", "corp.test", False),
        ("http://corp.test.evil.example/", "corp.test", False),
        ("http://llm.corp.test/", "first.test second.test\tcorp.test", True),
        ("http://llm.corp.test/", "first.test , corp.test ", True),
        ("http://llm.corp.test/", "first.test;corp.test", True),
        ("http://llm.corp.test/", ",,corp.test,", True),
        ("http://LLM.Corp.test/", "CORP.TEST.", True),
        ("http://llm.corp.test./", "corp.test", True),
        ("https://llm.corp.test/", "llm.corp.test:443", True),
        ("https://llm.corp.test/", "llm.corp.test:80", False),
        ("http://llm.corp.test/", "http://llm.corp.test/v1", True),
        ("http://[fd00::5]/", "[fd00::5]", True),
        ("http://[fd00::5]/", "fd00::5", True),
        ("http://[fd00::5]:8000/", "[fd00::5]:8000", True),
        ("http://[fd00::5]:8001/", "[fd00::5]:8000", False),
        ("http://[fd00::5]/", "fd00::/8", True),
        ("http://[fd00::5]/", "[fd00::]/8", True),
        ("http://[::ffff:10.0.0.1]/", "10.0.0.0/8", True),
        ("http://lab/", "<local>", True),
        ("http://lab.test/", "<local>", False),
        ("http://xn--bcher-kva.example/", "bücher.example", True),
        ("http://anything.test/", "*", True),
        ("http://anything.test/", "", False),
        ("http://anything.test/", "  ,  ", False),
    ],
)
def test_no_proxy_is_read_as_other_programs_write_it(url: str, no_proxy: str, is_direct: bool) -> None:
    around = {
        "HTTP_PROXY": "http://proxy.test:8080",
        "HTTPS_PROXY": "http://proxy.test:8080",
        "NO_PROXY": no_proxy,
    }

    assert (Proxies(around).of(url) is None) is is_direct


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_covers_its_addresses(address: object, bits: int) -> None:
    one = ip_address(str(address))
    prefix = min(bits, one.max_prefixlen)

    assert NoProxy(f"other.test,{one}/{prefix}").covers(str(one), 443)


@given(st.text(max_size=30), st.text(max_size=20))
def test_whatever_stands_in_no_proxy_it_is_read_or_refused(written: str, host: str) -> None:
    try:
        rules = NoProxy(written)
    except SettingsError as e:
        assert "NO_PROXY" in e.message  # noqa: PT017 - both ends are right
        return
    rules.covers(host, 443)


WRONG = [
    ("http://", "without a host"),
    ("http:///path", "without a host"),
    ("http://:8080", "without a host"),
    ("socks5://127.0.0.1:1080", "a `socks5` proxy"),
    ("socks5h://me:secret@proxy.test", "a `socks5h` proxy"),
    ("http://proxy.test:0", "port"),
    ("http://proxy.test:99999", "can't be parsed"),
    ("http://proxy.test:port", "can't be parsed"),
    ("http://[::1", "can't be parsed"),
    ("http://pro xy.test", "characters"),
    ("http://prox\ny.test", "characters"),
    ("ftp://proxy.test", "a `ftp` proxy"),
]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(("written", "problem"), WRONG)
def test_a_proxy_that_can_not_be_used_is_refused_by_its_variable(
    variable: str, written: str, problem: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Proxies({variable: written}).of("https://models.test/v1")

    assert caught.value.message.startswith(f"{variable} names ")
    assert problem in caught.value.message
    assert "secret" not in caught.value.message
    assert variable in (caught.value.hint or "")
    assert "`models.test` to NO_PROXY" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("around", "proxy"),
    [
        ({"https_proxy": "low.test", "HTTPS_PROXY": "up.test"}, "http://low.test"),
        ({"https_proxy": "", "HTTPS_PROXY": "up.test"}, None),
        ({"HTTP_PROXY": "plain.test"}, None),
        ({"HTTPS_PROXY": " proxy.test:3128 "}, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "all.test"}, "http://all.test"),
        ({"HTTPS_PROXY": "HTTP://me:p@ss@proxy.test:8080/"}, "http://me:p@ss@proxy.test:8080"),
    ],
)
def test_the_variable_that_counts(around: dict[str, str], proxy: str | None) -> None:
    found = Proxies(around).of("https://models.test/v1")

    assert (found.url if found else None) == proxy


def test_a_request_header_of_somebody_else_names_no_proxy() -> None:
    around = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://evil.test"}

    assert Proxies(around).of("http://models.test/") is None


def test_a_wrong_network_in_no_proxy_is_named() -> None:
    around = {"HTTPS_PROXY": "proxy.test", "NO_PROXY": "10.0.0.0/99"}

    with pytest.raises(SettingsError, match=r"`10\.0\.0\.0/99` in NO_PROXY"):
        Proxies(around).of("https://10.0.0.1/")


async def test_a_proxy_that_can_not_be_used_is_refused_before_anything_is_sent(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")

    http.check("http://127.0.0.1:8000")
    with pytest.raises(SettingsError, match="socks5"):
        http.check("https://models.test/v1")
