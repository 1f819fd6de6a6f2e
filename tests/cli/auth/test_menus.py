"""Commands of `auth` without a provider: a menu in a terminal, the candidates in an error elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.cli.screen import Screen
from tests.cli.screens import assert_screen

DOWN = "\x1b[B"
needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.fixture
def keys(bare: Shell) -> Shell:
    """A machine with two accounts at OpenAI and one at Mistral."""
    bare.environ["PATH"] = "/usr/bin:/bin"
    for provider, account in (("openai", "default"), ("openai", "work"), ("mistral", "default")):
        options = ("--from-stdin", "--no-verify", "--account", account)
        assert bare.run("auth", "add", provider, *options, stdin=f"canary-of-{provider}-{account}").returncode == 0
    return bare


def test_without_a_terminal_all_access_choices_are_listed_with_who_pays(bare: Shell) -> None:
    bare.environ |= {"PATH": "/usr/bin:/bin", "GROQ_API_KEY": "gsk_canary"}
    done = bare.run("auth", "add")

    assert done.returncode == 2
    for line in (
        "llm-orc auth add groq --from-env GROQ_API_KEY · metered: billed per token",
        "llm-orc auth add openai --method api-key · metered: billed per token",
        "llm-orc auth add openrouter --method oauth · metered: billed per token",
        "llm-orc auth add anthropic-claude-pro-max --method claude-cli · subscription: no extra cost",
        "llm-orc auth add anthropic-claude-pro-max --method oauth · subscription: no extra cost · its provider's terms",
        "ollama: needs no key · local: free",
    ):
        assert line in done.stderr
    assert "sandbox" not in done.stderr


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("logout", "`openai`, `mistral`"),
        ("remove", "`openai`, `mistral`"),
        ("test", "`openai`, `mistral`"),
        ("switch", "`openai`"),
        ("prefer", "`openrouter`, `huggingface`"),
    ],
)
def test_without_a_terminal_the_candidates_are_named(keys: Shell, command: str, named: str) -> None:
    done = keys.run("auth", command)

    assert done.returncode == 2
    assert "missing argument `PROVIDER`" in done.stderr
    assert all(name in done.stderr for name in named.split(", "))


@pytest.mark.parametrize("command", ["logout", "remove", "refresh", "switch"])
def test_where_nothing_is_stored_the_next_command_is_named_and_works(bare: Shell, command: str) -> None:
    done = bare.run("auth", command)

    assert done.returncode == 4
    assert "hint: llm-orc auth add" in done.stderr


@needs_terminal
@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_menu_of_access_says_who_pays_and_what_is_restricted_in_every_width(bare: Shell, columns: int) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals")
    from tests.cli.terminal import Terminal

    bare.environ["PATH"] = "/usr/bin:/bin"
    terminal = Terminal(bare, "auth", "add", "--method", "oauth", columns=columns)
    terminal.process.expect("Nothing now")
    terminal.process.send(DOWN + "\r")
    terminal.process.expect("Back")
    terminal.ctrl_c()
    screen = Screen(columns, rows=200).feed(terminal.to_the_end())
    lines = screen.splitlines()
    shown = " ".join(" ".join(lines).split())

    assert terminal.process.exitstatus == 130
    for part in ("Claude Pro or Max subscription", "metered: billed per token", "subscription: no extra cost"):
        assert any(part in line for line in lines) or len(part) > columns - 12, lines
    assert "restricted by its provider's terms" in shown
    assert "its terms are shown first" in shown
    assert_screen(Path(__file__).parent / "screens" / f"access-{columns}.txt", screen)


@needs_terminal
def test_a_found_key_is_stored_from_the_menu(bare: Shell) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals")
    from tests.cli.terminal import Terminal

    bare.environ |= {"PATH": "/usr/bin:/bin", "GROQ_API_KEY": "gsk_canary"}
    terminal = Terminal(bare, "auth", "add", "--no-verify", columns=80)
    for sign in (r"Found on this machine.*Nothing now", "store the key of GROQ_API_KEY, encrypted"):
        terminal.process.expect(sign)
        terminal.process.send("\r")
    seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 0, seen
    assert "gsk_canary" not in seen
    assert "Runs that name `groq` use it, not environment variable GROQ_API_KEY." in seen


@needs_terminal
def test_an_account_is_chosen_from_a_menu_and_nothing_happens_to_the_others(keys: Shell) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals")
    from tests.cli.terminal import Terminal

    stopped = Terminal(keys, "auth", "logout", columns=60)
    stopped.process.expect("None of these")
    stopped.process.send(DOWN * 3 + "\r")
    stopped.to_the_end()
    terminal = Terminal(keys, "auth", "logout", columns=60)
    terminal.process.expect("Which one do you want to sign out of")
    terminal.process.expect("None of these")
    terminal.process.send(DOWN * 2 + "\r")
    terminal.to_the_end()

    assert (stopped.process.exitstatus, terminal.process.exitstatus) == (1, 0)
    left = [(one["provider"], one["account"]) for one in json.loads(keys.run("auth", "list", "--json").stdout)]
    assert left == [("openai", "work"), ("mistral", "default")] or left == [
        ("openai", "default"),
        ("mistral", "default"),
    ]


@needs_terminal
def test_the_order_of_methods_is_chosen_one_after_the_other(bare: Shell) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals")
    from tests.cli.terminal import Terminal

    terminal = Terminal(bare, "auth", "prefer", "openrouter", columns=80)
    terminal.process.expect("None of these")
    terminal.process.send("\r")
    terminal.process.expect("And if that fails.*the call fails")
    terminal.process.send(DOWN + "\r")
    seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 0, seen
    assert "1. oauth · metered: billed per token" in seen
    assert "2. api-key · metered: billed per token" in seen
