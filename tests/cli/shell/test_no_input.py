"""`--no-input`: whatever would be asked in a terminal is decided as where there is none."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("--no-input", "auth", "add", "anthropic-api", "--method", "api-key"), "--from-stdin", 2),
        (("auth", "add", "anthropic-api", "--no-input"), "--method", 2),
        (("conversations", "delete", "--all", "--no-input"), None, 2),
        (("chat", "panel", "--no-input"), "Pipe a question in", 2),
        (("setup", "--no-input"), "llm-orc", 0),
    ],
)
def test_nothing_is_asked_in_a_terminal(
    shell: Shell, arguments: tuple[str, ...], says: str | None, code: int
) -> None:
    with_terminal = Terminal(shell, *arguments)

    seen = with_terminal.to_the_end()

    assert with_terminal.process.exitstatus == code, seen
    assert says is None or says in " ".join(seen.split())


def test_the_variable_says_the_same(shell: Shell) -> None:
    terminal = Terminal(shell, "auth", "add", "anthropic-api", "--method", "api-key", LLM_ORC_NO_INPUT="1")

    assert "nothing may be asked (`--no-input`)" in " ".join(terminal.to_the_end().split())


def test_a_variable_that_says_no_changes_nothing(shell: Shell) -> None:
    terminal = Terminal(shell, "auth", "add", "anthropic-api", "--method", "api-key", LLM_ORC_NO_INPUT="0")

    terminal.process.expect("API key of anthropic-api")
    terminal.ctrl_c()
    terminal.to_the_end()
