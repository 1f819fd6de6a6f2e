"""Signing in on the command line: by browser, paste or device."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from llm_orc.sandbox.oauth.faults import Altered, EndpointName, OAuthError, OAuthFault
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.cli.auth.signing_in import URL, port_of, said_by, state_of, visit, waiting
from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal
from tests.fakes.sign_in_place import SignInPlace, sign_in_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")


async def test_the_browser_opens_and_the_sign_in_serves_the_next_call(place: SignInPlace) -> None:
    place.approve_sign_ins()
    terminal = Terminal(place.shell, "auth", "add", "sandbox")
    await asyncio.to_thread(terminal.process.expect, "How to access")
    terminal.process.send("\r")
    seen = await asyncio.to_thread(terminal.to_the_end)

    tried = await place.run("auth", "test", "sandbox", "--json")

    place.spoken.append(seen)
    assert terminal.process.exitstatus == 0, seen
    assert URL.search(seen)  # shown although a browser opened
    assert "Sign in with the browser · local: free · ready" in seen
    assert "Added the sign-in of `sandbox` (account `default`)" in seen
    assert tried.returncode == 0
    assert json.loads(tried.stdout)["access"]["method"] == "oauth"
    assert await state_of(place) == "verified"


async def test_without_a_terminal_the_address_is_one_line_and_the_callback_is_awaited(place: SignInPlace) -> None:
    async with waiting(place, "sandbox") as (process, url):
        page = await asyncio.to_thread(visit, url)
        out, err = await said_by(process)

    assert URL.fullmatch(url)
    assert process.returncode == 0, err
    assert out == ""
    assert "You are signed in" in page
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=5)


async def test_with_json_the_address_leaves_stdout_to_the_document(place: SignInPlace) -> None:
    place.approve_sign_ins()
    with place.shell.started("auth", "add", "sandbox", "--no-browser", "--json") as process:
        assert process.stderr is not None
        await asyncio.to_thread(process.stderr.readline)
        url = (await asyncio.to_thread(process.stderr.readline)).strip()
        await asyncio.to_thread(visit, url)
        out, _ = await said_by(process)

    document = json.loads(out)
    place.spoken.append(out)
    assert document["method"] == "oauth"
    assert document["scopes"] == ["inference"]
    assert document["expires_at"] is not None


async def test_an_interactive_sign_in_without_a_terminal_fails_at_once_with_what_to_run(
    place: SignInPlace,
) -> None:
    done = await place.run("auth", "add", "sandbox", "--method", "oauth")

    assert done.returncode == 4
    assert "llm-orc auth add sandbox --method oauth --no-browser" in done.stderr
    assert place.server.record.authorization_requests == []


@pytest.mark.parametrize("pasted", ["whole address", "code and state"])
async def test_a_pasted_answer_will_do_too(bare: Shell, pasted: str) -> None:
    # Where a server says who it is (RFC 9207), only the whole address tells it.
    server = OAuthServer(auto_approve=True, sends_iss=pasted == "whole address")
    async with sign_in_place(bare, server) as place:
        seen, code = await sign_in_by_paste(place, pasted)

    assert code == 0, seen
    assert "Added the sign-in" in seen


async def sign_in_by_paste(place: SignInPlace, pasted: str) -> tuple[str, int | None]:
    terminal = Terminal(place.shell, "auth", "add", "sandbox", "--no-browser")
    await asyncio.to_thread(terminal.process.expect, "Or paste")
    [url] = set(URL.findall(terminal.seen))
    address = await asyncio.to_thread(address_after, url)
    fields = parse_qs(urlsplit(address).query)
    code = f"{fields['code'][0]}#{fields['state'][0]}"
    terminal.process.sendline("nonsense#and-more")
    await asyncio.to_thread(terminal.process.expect, "belongs to another sign-in")
    terminal.process.sendline(address if pasted == "whole address" else code)
    return await asyncio.to_thread(terminal.to_the_end), terminal.process.exitstatus


def address_after(url: str) -> str:
    """The address that the browser is sent to, as a person would copy it."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(url, timeout=20)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError("the page did not redirect")


@pytest.fixture
async def by_device(bare: Shell) -> AsyncIterator[SignInPlace]:
    async with sign_in_place(bare, OAuthServer(device_interval_s=0.2)) as here:
        yield here


async def test_a_device_code_is_shown_with_its_page(by_device: SignInPlace) -> None:
    place = by_device
    terminal = Terminal(place.shell, "auth", "add", "sandbox", "--device")
    code = await place.server.wait_for_device_login()
    await asyncio.to_thread(terminal.process.expect_exact, code)
    place.server.approve_device(code)
    seen = await asyncio.to_thread(terminal.to_the_end)

    place.spoken.append(seen)
    assert terminal.process.exitstatus == 0, seen
    assert f"{place.sandbox.origin}/oauth/device/verify\r\n" in seen
    assert await state_of(place) == "unverified"


async def test_a_declined_device_sign_in_says_so(by_device: SignInPlace) -> None:
    place = by_device
    terminal = Terminal(place.shell, "auth", "add", "sandbox", "--device")
    place.server.deny_device(await place.server.wait_for_device_login())
    seen = await asyncio.to_thread(terminal.to_the_end)

    assert terminal.process.exitstatus == 4
    assert "was declined" in seen


@pytest.mark.parametrize(
    ("endpoint", "effect", "words"),
    [
        ("token", OAuthError("invalid_grant"), "invalid_grant"),
        ("authorize", Altered({"code": None, "error": "access_denied"}), "was declined"),
        ("authorize", Altered({"iss": "https://example.com"}), "https://example.com"),
    ],
    ids=["refused code", "declined", "another server"],
)
async def test_a_sign_in_that_fails_says_why_also_in_the_browser_and_keeps_nothing(
    place: SignInPlace, endpoint: EndpointName, effect: OAuthError | Altered, words: str
) -> None:
    place.server.add_fault(OAuthFault(effect, endpoint=endpoint))
    async with waiting(place, "sandbox") as (process, url):
        page = await asyncio.to_thread(visit_anyhow, url)
        _, err = await said_by(process)

    place.spoken += [err]
    assert process.returncode == 4
    assert words in err
    assert "You are signed in" not in page
    assert await state_of(place) == "absent"


def visit_anyhow(url: str) -> str:
    try:
        return visit(url)
    except urllib.error.HTTPError as answer:
        return str(answer.read().decode())


async def test_ctrl_c_leaves_no_listener_and_changes_nothing(place: SignInPlace) -> None:
    async with waiting(place, "sandbox") as (process, url):
        process.send_signal(signal.SIGINT)
        _, err = await said_by(process)

    assert process.returncode == 130
    assert "nothing was changed" in err
    assert "Traceback" not in err
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=5)
    assert await state_of(place) == "absent"


async def test_a_store_that_can_not_take_the_sign_in_is_told_before_it(place: SignInPlace) -> None:
    store = place.shell.config.parent / "credentials.json"
    store.write_bytes(b"{ not json")
    store.chmod(0o600)

    done = await place.run("auth", "add", "sandbox", "--no-browser")

    assert done.returncode == 4
    assert str(store) in done.stderr
    assert place.server.record.authorization_requests == []
