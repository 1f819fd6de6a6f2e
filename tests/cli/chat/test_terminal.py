"""A person who chats at a real terminal: streaming, several lines, Ctrl-C, Ctrl-D, questions about money and room."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell, pretend_providers
from tests.cli.terminal import CONTROL, Terminal

pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

PROMPT = ">(?: |\x08)"  # the space may be drawn by moving the cursor
END = "one after the other."


def plain(text: str) -> str:
    return CONTROL.sub("", text)


def asked(shell: Shell) -> list[tuple[str, str]]:
    shown = json.loads(shell.run("conversations", "show", "--all", "--json").stdout)
    return [(t["text"], t["state"]) for t in shown["turns"] if t["role"] == "user"]


def test_a_person_asks_twice_and_leaves(shell: Shell) -> None:
    terminal = Terminal(shell, "chat")
    terminal.process.expect("Ctrl-D leaves")
    terminal.process.expect(PROMPT)
    terminal.process.send("one\r")
    terminal.process.expect("local\x1b|local\r")
    terminal.process.expect(PROMPT)
    terminal.process.send("two\r")
    terminal.process.expect(END)
    terminal.process.expect(PROMPT)
    terminal.process.sendcontrol("d")
    seen = plain(terminal.to_the_end())

    assert terminal.process.exitstatus == 0
    assert "Continue with: llm-orc chat --conversation chat-" in seen
    assert "2 calls, $0" in seen
    assert asked(shell) == [("one", "done"), ("two", "done")]


@pytest.mark.parametrize("new_line", ["\x1b\r", "\n"])
def test_a_turn_may_have_several_lines(shell: Shell, new_line: str) -> None:
    terminal = Terminal(shell, "chat", columns=60)
    terminal.process.expect(PROMPT)
    terminal.process.send(f"first{new_line}second\r")
    terminal.process.expect(END)
    terminal.process.expect(PROMPT)
    terminal.process.sendcontrol("d")
    terminal.to_the_end()

    assert asked(shell) == [("first\nsecond", "done")]


def test_what_is_pasted_is_one_turn(shell: Shell) -> None:
    terminal = Terminal(shell, "chat")
    terminal.process.expect(PROMPT)
    terminal.process.send("\x1b[200~a\nb\nc\x1b[201~")
    terminal.process.send("\r")
    terminal.process.expect(END)
    terminal.process.expect(PROMPT)
    terminal.process.sendcontrol("d")
    terminal.to_the_end()

    assert asked(shell) == [("a\nb\nc", "done")]


def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(shell: Shell) -> None:
    with pretend_providers("--fault", "hang=4,times=1") as base_url:
        shell.talks_to(base_url)
        terminal = Terminal(shell, "chat")
        terminal.process.expect(PROMPT)
        terminal.process.send("one\r")
        terminal.process.expect("I was given")
        terminal.process.sendintr()
        terminal.process.expect("Stopped. What arrived is kept")
        terminal.process.expect(PROMPT)
        terminal.process.send("two\r")
        terminal.process.expect(END)
        terminal.process.expect(PROMPT)
        terminal.process.sendcontrol("d")
        seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 0
    assert "Traceback" not in seen
    shown = json.loads(shell.run("conversations", "show", "--all", "--json").stdout)
    assert [t["state"] for t in shown["turns"]] == ["done", "cut", "done", "done"]
    assert "no model was asked" in shown["turns"][1]["text"]


def test_ctrl_c_at_the_prompt_clears_the_line_and_leaves_only_the_second_time(shell: Shell) -> None:
    terminal = Terminal(shell, "chat")
    terminal.process.expect(PROMPT)
    terminal.process.send("half a thought")
    terminal.process.expect("thought")
    interrupt_until(terminal, "another Ctrl-C")
    interrupt_until(terminal, pexpect.EOF)
    terminal.process.close()

    assert terminal.process.exitstatus == 0
    assert shell.run("conversations", "list").stdout == ""


def interrupt_until(terminal: Terminal, sign: object) -> None:
    """Press Ctrl-C until the sign comes: between two prompts it is nothing."""
    for _ in range(30):
        terminal.process.sendintr()
        if terminal.process.expect([sign, pexpect.TIMEOUT], timeout=1) == 0:
            return
    raise AssertionError(terminal.seen)


def test_when_it_is_full_the_person_decides(shell: Shell) -> None:
    with pretend_providers("--context-window", "75") as base_url:
        shell.talks_to(base_url)
        terminal = Terminal(shell, "chat", "--conversation", "a")
        for question in ("one", "two", "three"):
            terminal.process.expect(PROMPT)
            terminal.process.send(f"{question}\r")
            if question != "three":
                terminal.process.expect("tokens in")
        terminal.process.expect("no longer fits")
        terminal.process.expect("Which")
        terminal.process.send("1\r")
        terminal.process.expect("no longer receives the oldest")
        terminal.process.expect(END)
        terminal.process.expect(PROMPT)
        terminal.process.sendcontrol("d")
        seen = plain(terminal.to_the_end())

    assert terminal.process.exitstatus == 0, seen
    assert "Leave out the oldest turns" in seen
    assert asked(shell) == [("one", "done"), ("two", "done"), ("three", "done")]


@pytest.mark.parametrize(("reply", "exit_code"), [("2", 0), ("1", 4)])
def test_money_is_asked_for_before_the_first_word(shell: Shell, pretend: str, reply: str, exit_code: int) -> None:
    shell.environ["OPENAI_API_KEY"] = "sk-canary"
    shell.config.write_text(
        f"providers:\n  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n"
        "  ollama: {base_url: 'http://127.0.0.1:9'}\n",
        encoding="utf-8",
    )
    terminal = Terminal(shell, "chat")
    terminal.process.expect(r"Pay for this chat \(about \$.* for the first turn\)\?")
    terminal.process.expect("Which")
    terminal.process.sendline(reply)
    if exit_code == 0:
        terminal.process.expect("metered: billed per token")
        terminal.process.expect(PROMPT)
        terminal.process.sendcontrol("d")
    seen = terminal.to_the_end()

    assert terminal.process.exitstatus == exit_code
    assert "sk-canary" not in seen


def test_a_dumb_terminal_will_do(shell: Shell) -> None:
    terminal = Terminal(shell, "chat", TERM="dumb")
    terminal.process.expect(PROMPT)
    terminal.process.send("one\r")
    terminal.process.expect(END)
    terminal.process.expect(PROMPT)
    terminal.process.sendcontrol("d")
    seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 0
    assert "\x1b" not in seen


def test_what_was_typed_is_kept_for_its_owner_alone(shell: Shell) -> None:
    terminal = Terminal(shell, "chat")
    terminal.process.expect(PROMPT)
    terminal.process.send("one\r")
    terminal.process.expect(END)
    terminal.process.expect(PROMPT)
    terminal.process.sendcontrol("d")
    terminal.to_the_end()

    file = shell.home / ".local" / "state" / "llm-orc" / "chat_history"
    assert "one" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_tab_completes_commands(shell: Shell) -> None:
    terminal = Terminal(shell, "chat")
    terminal.process.expect(PROMPT)
    terminal.process.send("/inf\t")
    terminal.process.expect(rf"/inf(?:{CONTROL.pattern})*o")  # in one painting or in two
    terminal.process.send("\r")
    terminal.process.expect("in conversation")
    terminal.process.expect(PROMPT)
    terminal.process.sendcontrol("d")
    terminal.to_the_end()

    assert terminal.process.exitstatus == 0
