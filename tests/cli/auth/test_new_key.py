"""A new key is looked at and tested before it is stored, and replaces no other without a yes."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from llm_orc.sandbox.oauth.server import OAuthServer
from tests.cli.conftest import Shell
from tests.fakes.sign_in_place import SignInPlace, sign_in_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY, OTHER = "canary-1111-taken", "canary-2222-taken"
needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.fixture
async def place(bare: Shell) -> AsyncIterator[SignInPlace]:
    async with sign_in_place(bare, OAuthServer(), require_token=False, accept_keys=(KEY, OTHER)) as here:
        yield here
        assert "canary" not in "".join(here.spoken)
        assert here.files_with("canary") == []


async def add(place: SignInPlace, key: str, *options: str) -> tuple[int, str]:
    done = await place.run("auth", "add", "sandbox", "--from-stdin", *options, stdin=key)
    return done.returncode, " ".join(done.stderr.split())


async def stored(place: SignInPlace) -> dict[str, str]:
    """Return the state of each stored account."""
    status = json.loads((await place.run("auth", "status", "sandbox", "--json")).stdout)
    return {one["account"]: one["state"] for one in status["credentials"] if one["place"] == "store"}


async def test_a_key_is_tested_and_then_stored(place: SignInPlace) -> None:
    code, said = await add(place, f'export SANDBOX_API_KEY="{KEY}"\n')

    assert code == 0, said
    assert "Left out: `SANDBOX_API_KEY=` in front of the key. Left out: the quotes around the key." in said
    assert "Tested: `sandbox` accepts it." in said
    assert await stored(place) == {"default": "verified"}
    assert place.sandbox.requests == []  # no answer was asked for: it costs nothing


async def test_a_refused_key_changes_nothing(place: SignInPlace) -> None:
    first = await add(place, "canary-wrong")
    assert await stored(place) == {}
    await add(place, KEY)
    second = await add(place, "canary-wrong", "--replace")

    for code, said in (first, second):
        assert code == 4
        assert "`sandbox` refused the key (status 401)" in said
        assert "nothing was stored" in said
    assert await stored(place) == {"default": "verified"}
    assert (await place.run("auth", "test", "sandbox")).returncode == 0


async def test_another_key_replaces_one_only_if_that_is_said(place: SignInPlace) -> None:
    await add(place, KEY)
    code, said = await add(place, OTHER)
    same, _ = await add(place, KEY)
    beside, _ = await add(place, OTHER, "--account", "work")
    replaced, after = await add(place, OTHER, "--replace")

    assert code == 2
    assert "`sandbox` has an API key already (account `default`, added" in said
    assert "Add `--replace` to replace it, or `--account NAME`" in said
    assert (same, beside, replaced) == (0, 0, 0)
    assert "The key before still works at its provider" in after
    assert await stored(place) == {"default": "verified", "work": "verified"}


def unreachable(shell: Shell) -> Shell:
    shell.config.parent.mkdir(parents=True)
    shell.config.write_text("providers: {mistral: {base_url: 'http://127.0.0.1:9/v1'}}\n")
    return shell


def test_an_untested_key_is_stored_with_a_word_but_replaces_none(bare: Shell) -> None:
    unreachable(bare)
    first = bare.run("auth", "add", "mistral", "--from-stdin", stdin=KEY)
    second = bare.run("auth", "add", "mistral", "--from-stdin", "--replace", stdin=OTHER)
    third = bare.run("auth", "add", "mistral", "--from-stdin", "--replace", "--no-verify", stdin=OTHER)

    assert first.returncode == 0
    assert "Not tested: `mistral` can't be reached" in first.stderr
    assert second.returncode == 4
    assert "would replace another" in second.stderr
    assert "`--no-verify`" in second.stderr
    assert third.returncode == 0


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("sk-ant-api03-canary", "llm-orc auth add anthropic-api"),
        ("GROQ_API_KEY=canary-of-no-shape", "llm-orc auth add groq"),
    ],
)
def test_a_key_of_another_provider_is_named_and_not_stored(bare: Shell, text: str, command: str) -> None:
    done = bare.run("auth", "add", "openai", "--from-stdin", stdin=text)

    assert done.returncode == 4
    assert "is no key of `openai`" in done.stderr
    assert command in done.stderr
    assert "canary" not in done.stderr
    assert json.loads(bare.run("auth", "list", "--json").stdout) == []


def test_the_variable_that_a_run_no_longer_uses_is_named(bare: Shell) -> None:
    unreachable(bare).environ["MISTRAL_API_KEY"] = OTHER
    done = bare.run("auth", "add", "mistral", "--from-stdin", stdin=KEY)

    assert "Runs that name `mistral` use it, not environment variable MISTRAL_API_KEY." in done.stderr


@pytest.mark.parametrize("provider", ["openai", "groq"])
def test_every_command_that_is_named_next_works_as_it_stands(bare: Shell, pretend: str, provider: str) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(f"providers: {{{provider}: {{base_url: '{pretend}', dialect: openai-chat}}}}\n")
    added = bare.run("auth", "add", provider, "--from-stdin", stdin=KEY)
    commands = re.findall(r"llm-orc ([a-z -]+)", added.stderr)

    assert commands
    for command in commands:
        done = bare.run(*command.split())
        assert done.returncode == 0, (command, done.stderr)


@needs_terminal
async def test_at_the_prompt_a_wrong_key_is_entered_again_and_a_replacement_is_asked_for(
    place: SignInPlace,
) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals")
    from tests.cli.terminal import CONTROL, Terminal

    await add(place, KEY)

    def at_the_terminal() -> str:
        terminal = Terminal(place.shell, "auth", "add", "sandbox", "--method", "api-key", columns=60)
        for sign, answer in (
            ("not shown", "canary-wrong"),
            ("Enter it again", "y"),
            ("not shown", OTHER),
            (r"Replace it\?", "y"),
        ):
            terminal.process.expect(sign)
            terminal.process.sendline(answer)
        return CONTROL.sub("", terminal.to_the_end())

    seen = await asyncio.to_thread(at_the_terminal)

    assert "canary" not in seen
    assert "Tested: `sandbox` accepts it." in seen
    assert (await place.run("auth", "test", "sandbox")).returncode == 0
    assert place.sandbox.requests[-1].headers["authorization"] == f"Bearer {OTHER}"


@needs_terminal
def test_at_the_prompt_a_key_of_another_provider_goes_there_after_a_yes(bare: Shell) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals")
    from tests.cli.terminal import CONTROL, Terminal

    terminal = Terminal(bare, "auth", "add", "openai", "--no-verify", columns=60)
    terminal.process.expect("not shown")
    terminal.process.sendline("gsk_canary1234")
    terminal.process.expect("instead")
    terminal.process.sendline("y")
    seen = " ".join(CONTROL.sub("", terminal.to_the_end()).split())

    assert "its keys are at https://platform.openai.com/api-keys" in seen
    assert "Add it to `groq` instead? (metered: billed per token)" in seen
    assert "canary" not in seen
    assert [one["provider"] for one in json.loads(bare.run("auth", "list", "--json").stdout)] == ["groq"]
