"""What a person sees in a real terminal: wide, narrow, without colour, dumb; and how money is asked for."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Shell, pretend_providers
from tests.cli.terminal import CONTROL, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def slow_providers() -> Iterator[str]:
    with pretend_providers("--delay", "0.2", "--tokens-per-second", "200") as base_url:
        yield base_url


def test_standard_input_that_is_a_terminal_says_how_it_ends(shell: Shell) -> None:
    terminal = Terminal(shell, "invoke", "panel", "-f", "-", "--rehearse")
    terminal.process.expect("Reading standard input from the terminal; Ctrl-D ends it.")
    terminal.process.send("Judge it\r")
    terminal.process.sendeof()
    terminal.to_the_end()

    assert terminal.process.exitstatus == 0
    assert json.loads(shell.run("runs", "show", "last", "--output-format", "json").stdout)["input"] == "Judge it"


@pytest.mark.parametrize("columns", [80, 50])
def test_the_live_view_shows_agents_at_work_and_fits_the_terminal(shell: Shell, columns: int) -> None:
    with slow_providers() as base_url:
        shell.talks_to(base_url)
        terminal = Terminal(shell, "invoke", "panel", columns=columns)
        seen = terminal.to_the_end()

    painted = seen.partition("tokens in")[0]
    assert terminal.process.exitstatus == 0
    assert "● analyst" in CONTROL.sub("", painted)
    assert "✓ analyst" in CONTROL.sub("", painted)
    assert all(len(CONTROL.sub("", line)) <= columns for line in painted.replace("\r", "\n").split("\n"))


def test_a_retry_counts_down_and_says_why(shell: Shell) -> None:
    with pretend_providers("--fault", "status=429,times=1,retry_after=3") as base_url:
        shell.talks_to(base_url)
        shell.ensemble("one", "name: one\ndefault_task: x\nagents: [{name: a}]\n")
        terminal = Terminal(shell, "invoke", "one", columns=120)
        for left in ("2.", "1.", "0."):
            terminal.process.expect(rf"attempt 2 in {left}\d s: `openai-compatible`")
        seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 0
    assert "1 call" in seen


def test_no_color_paints_without_colours(shell: Shell) -> None:
    with slow_providers() as base_url:
        shell.talks_to(base_url)
        seen = Terminal(shell, "invoke", "panel", NO_COLOR="1").to_the_end()

    assert "● analyst" in CONTROL.sub("", seen)
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?3[0-9]", seen)


def test_a_dumb_terminal_gets_plain_lines(shell: Shell) -> None:
    seen = Terminal(shell, "invoke", "panel", TERM="dumb").to_the_end()

    assert "analyst: started\r\n" in seen
    assert "\x1b" not in seen


def test_the_terminal_is_left_as_it_was_after_ctrl_c(shell: Shell) -> None:
    with pretend_providers("--fault", "hang=2") as base_url:
        shell.talks_to(base_url)
        terminal = Terminal(shell, "invoke", "panel")
        terminal.process.expect("●")
        terminal.process.sendintr()
        seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 130
    assert seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l")
    assert "Resume with: llm-orc resume" in seen
    assert "Traceback" not in seen


def test_a_model_can_not_steer_the_terminal(shell: Shell) -> None:
    shell.ensemble("echo", "name: echo\nagents: [{name: a}]\n")

    seen = Terminal(shell, "invoke", "echo", "--rehearse", "--input", "\x1b]0;owned\x07").to_the_end()

    assert "\x1b]0" not in seen
    assert "\\x1b]0;owned\\x07" in seen


@pytest.mark.parametrize(("reply", "exit_code"), [("2", 0), ("1", 4)])
def test_money_is_spent_only_after_a_yes(shell: Shell, pretend: str, reply: str, exit_code: int) -> None:
    shell.environ["OPENAI_API_KEY"] = "sk-canary"
    shell.config.write_text(
        f"providers:\n  openai: {{base_url: '{pretend}', billing: metered}}\n"
        "  ollama: {base_url: 'http://127.0.0.1:9'}\n",
        encoding="utf-8",
    )
    terminal = Terminal(shell, "invoke", "panel")

    terminal.process.expect("Which")
    asked = terminal.seen
    terminal.process.sendline(reply)
    seen = terminal.to_the_end()

    assert "billed per token (environment variable OPENAI_API_KEY)" in " ".join(asked.split())
    assert terminal.process.exitstatus == exit_code
    assert ("tokens in" in seen) == (exit_code == 0)
    assert "sk-canary" not in seen


def test_a_table_is_cut_to_the_terminal(shell: Shell) -> None:
    seen = Terminal(shell, "list-ensembles", columns=40).to_the_end()

    rows = [line for line in seen.splitlines() if line.startswith(("ENSEMBLE", "panel", "multi"))]
    assert len(rows) == 3
    assert all(len(row) <= 40 for row in rows)
