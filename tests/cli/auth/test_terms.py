"""Terms of a provider: shown before the first sign-in, agreed to once."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.cli.auth.signing_in import signed_in
from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal
from tests.fakes.sign_in_place import SignInPlace

pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

NOTICE = """\
      notice: {text: Only for those who may., link: 'https://example.com/terms', date: '2026-10-06'}
"""


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
