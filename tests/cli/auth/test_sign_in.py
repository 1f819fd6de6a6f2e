"""Signing in on the command line: browser, paste, device, terms, renewal and the end of it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import urllib.request
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from llm_orc.sandbox.faults import Delay, Status
from llm_orc.sandbox.oauth.faults import Altered, EndpointName, OAuthError, OAuthFault
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal
from tests.fakes.sign_in_place import SignInPlace, sign_in_place

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator

pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

NOTICE = """\
      notice: {text: Only for those who may., link: 'https://example.com/terms', date: '2026-10-06'}
"""
URL = re.compile(r"http://127\.0\.0\.1:\d+/oauth/authorize\?[^\s\x1b]+")


@pytest.fixture
async def place(bare: Shell) -> AsyncIterator[SignInPlace]:
    async with sign_in_place(bare, OAuthServer(auto_approve=True)) as here:
        yield here
        assert [
            said
            for said in here.spoken
            if "sandbox-at-" in said or "sandbox-rt-" in said or "sandbox-code" in said
        ] == []
        assert here.files_with("sandbox-at-") == []
        assert here.files_with("sandbox-rt-") == []


async def signed_in(place: SignInPlace, *more: str) -> None:
    """Sign in as a script would: the page's address is printed, and a browser elsewhere follows it."""
    async with waiting(place, "sandbox", *more) as (process, url):
        await asyncio.to_thread(visit, url)
        out, err = await said_by(process)
    place.spoken += [out, err]
    assert process.returncode == 0, err


@asynccontextmanager
async def waiting(place: SignInPlace, *arguments: str) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """A sign-in without a terminal that has printed its address and waits; killed if it is still there."""
    with place.shell.started("auth", "add", *arguments, "--no-browser") as process:
        assert process.stdout is not None
        yield process, (await asyncio.to_thread(process.stdout.readline)).strip()


async def said_by(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what it writes until it ends."""
    return await asyncio.to_thread(process.communicate, timeout=20)


def visit(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def port_of(url: str) -> int:
    [redirect] = parse_qs(urlsplit(url).query)["redirect_uri"]
    return urlsplit(redirect).port or 0


async def state_of(place: SignInPlace) -> str:
    done = await place.run("auth", "status", "sandbox", "--json")
    return str(json.loads(done.stdout)["credentials"][0]["state"])


# --- the ways in --------------------------------------------------------------------------------------------


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


# --- terms --------------------------------------------------------------------------------------------------


async def test_terms_need_an_explicit_yes_without_a_terminal(place: SignInPlace) -> None:
    place.configure(NOTICE)

    done = await place.run("auth", "add", "sandbox", "--no-browser")

    assert done.returncode == 2
    assert "Only for those who may." in done.stderr
    assert "https://example.com/terms" in done.stderr
    assert "--acknowledge-terms" in done.stderr


async def test_acknowledged_terms_are_remembered_with_their_date(place: SignInPlace) -> None:
    place.configure(NOTICE)

    await signed_in(place, "--acknowledge-terms")

    status = json.loads((await place.run("auth", "status", "sandbox", "--json")).stdout)
    assert status["credentials"][0]["terms_acknowledged_at"] is not None


async def test_terms_that_were_acknowledged_are_not_asked_for_again(place: SignInPlace) -> None:
    place.configure(NOTICE)

    before = await place.run("auth", "prefer", "sandbox", "oauth")
    await signed_in(place, "--acknowledge-terms")
    after = await place.run("auth", "prefer", "sandbox", "oauth")

    assert (before.returncode, after.returncode) == (2, 0)


async def test_a_person_is_shown_the_terms_and_a_no_ends_it(place: SignInPlace) -> None:
    place.configure(NOTICE)
    terminal = Terminal(place.shell, "auth", "add", "sandbox", "--no-browser")
    await asyncio.to_thread(terminal.process.expect, r"\[y/N\]")
    terminal.process.sendline("n")
    seen = await asyncio.to_thread(terminal.to_the_end)

    assert terminal.process.exitstatus == 2
    assert "Only for those who may." in seen
    assert place.server.record.authorization_requests == []


def test_a_claude_plan_is_explained_in_a_few_words_with_link_and_date(bare: Shell) -> None:
    oauth = bare.run("auth", "add", "anthropic-claude-pro-max", "--method", "oauth")
    claude = bare.run("auth", "add", "anthropic-claude-pro-max", "--method", "claude-cli")

    assert oauth.returncode == 4
    assert "https://code.claude.com/docs/en/legal-and-compliance, as of 2026-10-06" in oauth.stderr
    assert "llm-orc auth add anthropic-claude-pro-max --method claude-cli." in oauth.stderr
    assert claude.returncode == 4
    assert "`claude` is not installed" in claude.stderr
    assert "npm install" in claude.stderr


# --- afterwards ---------------------------------------------------------------------------------------------


async def test_a_lapsed_sign_in_is_called_so_and_renews_itself(place: SignInPlace) -> None:
    place.server.set_access_token_lifetime(0.01)
    await signed_in(place)
    place.server.set_access_token_lifetime(3600)
    before = await place.run("auth", "status", "sandbox")

    tried = await place.run("auth", "test", "sandbox")

    assert before.returncode == 0
    assert "state    lapsed" in before.stdout
    assert tried.returncode == 0, tried.stderr
    assert place.server.refresh_count == 1
    assert await state_of(place) == "verified"


@pytest.mark.slow
async def test_many_refreshes_at_once_are_one_renewal(place: SignInPlace) -> None:
    await signed_in(place)

    with ExitStack() as processes:
        refreshing = [
            processes.enter_context(place.shell.started("auth", "refresh", "sandbox")) for _ in range(20)
        ]
        ended = [await asyncio.to_thread(process.wait, 60) for process in refreshing]

    assert set(ended) == {0}
    assert place.server.refresh_count == 1


async def test_refresh_renews_at_once_and_says_until_when(place: SignInPlace) -> None:
    await signed_in(place)

    done = await place.run("auth", "refresh", "sandbox", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["refreshed_at"] is not None
    assert place.server.refresh_count == 1


async def test_a_sign_in_that_the_server_has_ended_asks_for_a_new_one(place: SignInPlace) -> None:
    place.server.set_access_token_lifetime(0.01)
    await signed_in(place)
    place.server.revoke_everything()

    refreshed = await place.run("--debug", "auth", "refresh", "sandbox")
    status = await place.run("auth", "status", "sandbox")

    assert refreshed.returncode == 4
    assert "llm-orc auth add sandbox" in refreshed.stderr
    assert status.returncode == 4
    assert "state    expired" in status.stdout


async def test_logout_revokes_and_deletes(place: SignInPlace) -> None:
    await signed_in(place)

    done = await place.run("auth", "logout", "sandbox")

    assert done.returncode == 0
    assert "revoked at the provider and deleted here" in done.stderr
    assert place.server.families_alive == 0
    assert await state_of(place) == "absent"


async def test_logout_that_is_not_confirmed_deletes_all_the_same_and_says_so(place: SignInPlace) -> None:
    await signed_in(place)
    place.server.add_fault(OAuthFault(Status(503), endpoint="revoke"))

    done = await place.run("auth", "logout", "sandbox", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == 5
    assert document["deleted"] is True
    assert document["at_provider"] == "not-confirmed"
    assert "503" in document["reason"]
    assert await state_of(place) == "absent"


async def test_logout_without_a_network_deletes_here(place: SignInPlace, bare: Shell) -> None:
    await signed_in(place)
    bare.config.write_text(
        "providers:\n  sandbox:\n    base_url: http://127.0.0.1:9/v1\n    oauth: {issuer: 'http://127.0.0.1:9'}\n",
        encoding="utf-8",
    )

    done = await place.run("auth", "logout", "sandbox")

    assert done.returncode == 5
    assert "did not confirm" in done.stderr
    assert await state_of(place) == "absent"


async def test_ctrl_c_during_logout_still_deletes(place: SignInPlace) -> None:
    await signed_in(place)
    place.server.add_fault(OAuthFault(Delay(30), endpoint="revoke"))
    metadata = place.server.record.metadata_requests
    asked = len(metadata)
    with place.shell.started("auth", "logout", "sandbox") as process:
        await place.server.record.wait_until(lambda: len(metadata) > asked, 20)
        await asyncio.sleep(0.3)  # for the revocation to go out; earlier would do as well
        process.send_signal(signal.SIGINT)
        await said_by(process)

    assert process.returncode == 130
    assert await state_of(place) == "absent"


async def test_two_accounts_and_the_one_that_calls_use(place: SignInPlace) -> None:
    await signed_in(place)
    await signed_in(place, "--account", "work")

    await place.run("auth", "switch", "sandbox", "default")
    await place.run("auth", "remove", "sandbox")
    tried = await place.run("auth", "test", "sandbox", "--json")

    assert json.loads(tried.stdout)["access"]["source"] == "sign-in (account `work`)"


async def test_an_api_key_has_nothing_to_renew(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", stdin="a-key")

    done = bare.run("auth", "refresh", "openai")

    assert done.returncode == 4
    assert "can't be refreshed" in done.stderr


async def test_a_clock_that_is_far_off_is_shown_and_does_no_harm(bare: Shell) -> None:
    server = OAuthServer(auto_approve=True, date_skew_s=900)
    async with sign_in_place(bare, server) as here:
        await signed_in(here)
        told = await here.run("auth", "status", "sandbox")
        row = json.loads((await here.run("auth", "status", "sandbox", "--json")).stdout)["credentials"][0]
        tried = await here.run("auth", "test", "sandbox")

    assert row["clock_skew_s"] == pytest.approx(900, abs=5)
    assert "15 min behind that of its sign-in server: sign-ins still work" in told.stdout
    assert tried.returncode == 0
