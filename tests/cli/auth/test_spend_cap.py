"""The spend cap of a sign-in at OpenRouter, on the command line and at the terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.cli.auth.signing_in import said_by, visit
from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal
from tests.fakes.scripted_server import Reply, Scripted

pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")


@pytest.fixture
async def openrouter(bare: Shell) -> AsyncIterator[Scripted]:
    server = Scripted()
    await server.start()
    server.on("/api/v1/auth/keys", Reply({"key": "sk-or-v1-canary"}))
    server.on("/api/v1/key", Reply({"data": {"limit": 5, "limit_reset": "monthly", "expires_at": None}}))
    bare.config.parent.mkdir(parents=True, exist_ok=True)
    bare.config.write_text(
        f"providers:\n  openrouter:\n    base_url: {server.url}/api/v1\n    oauth:\n"
        f"      authorization_endpoint: {server.url}/auth\n      token_endpoint: {server.url}/api/v1/auth/keys\n",
        encoding="utf-8",
    )
    yield server
    await server.stop()


async def signed_in(shell: Shell, *options: str) -> tuple[dict[str, str], int, str]:
    with shell.started("auth", "add", "openrouter", "--no-browser", *options) as process:
        assert process.stdout is not None
        url = (await asyncio.to_thread(process.stdout.readline)).strip()
        asked = dict(parse_qsl(urlsplit(url).query))
        with suppress(HTTPError):  # the page of a sign-in that failed
            await asyncio.to_thread(visit, f"{asked['callback_url']}?code=code-canary")
        _, err = await said_by(process)
    return asked, process.returncode, err


async def test_the_cap_is_asked_for_and_shown_as_it_was_told(bare: Shell, openrouter: Scripted) -> None:
    asked, code, said = await signed_in(
        bare, "--limit", "5", "--limit-period", "monthly", "--expires", "2090-01-31"
    )

    status = await asyncio.to_thread(bare.run, "auth", "status", "openrouter")
    as_json = await asyncio.to_thread(bare.run, "auth", "status", "openrouter", "--json")

    assert code == 0, said
    assert (asked["limit"], asked["usage_limit_type"], asked["expires_at"]) == (
        "5",
        "monthly",
        "2090-01-31T23:59:59Z",
    )
    assert "Its spend cap: at most $5 each month" in said
    assert "  cap      at most $5 each month" in status.stdout
    assert json.loads(as_json.stdout)["credentials"][0]["spend_cap"].startswith("at most $5 each month")
    assert "canary" not in said + status.stdout


async def test_a_key_that_has_no_cap_is_not_stored(bare: Shell, openrouter: Scripted) -> None:
    openrouter.on("/api/v1/key", Reply({"data": {"limit": None}}))

    _, code, said = await signed_in(bare, "--limit", "5")

    assert code == 4
    assert "has no spend cap, although one was asked for; it was not stored" in said
    assert not (bare.config.parent / "credentials.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("openrouter", "--limit-period", "daily"), "--limit-period needs a limit"),
        (("openrouter", "--limit", "0"), "0"),
        (("openrouter", "--limit", "nan"), "no amount of money"),
        (("openrouter", "--limit", "inf"), "no amount of money"),
        (("openrouter", "--expires", "2020-01-01"), "in the past"),
        (("openrouter", "--limit", "5", "--method", "api-key"), "for sign-ins only"),
        (("openrouter", "--limit", "5", "--from-stdin"), "for API keys only"),
    ],
)
def test_what_makes_no_cap_is_wrong_usage(bare: Shell, options: tuple[str, ...], words: str) -> None:
    done = bare.run("auth", "add", *options)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_sign_in_without_such_a_cap_says_so(bare: Shell) -> None:
    done = bare.run("auth", "add", "sandbox", "--limit", "5", "--no-browser")

    assert done.returncode == 4
    assert "`sandbox` offers no spend cap at its sign-in" in done.stderr


@pytest.mark.parametrize(
    ("keys", "params"),
    [
        ("\r", {"limit": "5", "usage_limit_type": "monthly"}),
        ("4\r", {}),
    ],
    ids=["the first", "no cap"],
)
async def test_the_person_at_the_terminal_is_asked_and_may_want_none(
    bare: Shell, openrouter: Scripted, keys: str, params: dict[str, str]
) -> None:
    terminal = Terminal(bare, "auth", "add", "openrouter", "--method", "oauth", "--no-browser")
    await asyncio.to_thread(terminal.process.expect, "How much may this key spend")
    terminal.process.send(keys)
    await asyncio.to_thread(terminal.process.expect, r"http://127\.0\.0\.1:\d+/auth\?([^\s\x1b]+)")
    asked = dict(parse_qsl(terminal.process.match.group(1)))
    await asyncio.to_thread(visit, f"{asked['callback_url']}?code=code-canary")
    seen = await asyncio.to_thread(terminal.to_the_end)

    assert {name: asked[name] for name in asked if name in {"limit", "usage_limit_type", "expires_at"}} == params
    assert ("Its spend cap" in seen) == bool(params)
