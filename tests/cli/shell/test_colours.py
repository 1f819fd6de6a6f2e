"""Which variables switch colours on and off, and which of them wins."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal

NAMES = ("NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "CLICOLOR")


@pytest.mark.parametrize(
    ("variables", "in_pipe", "in_terminal"),
    [
        ({}, False, True),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, False, True),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"FORCE_COLOR": "1", "CLICOLOR": "0"}, True, True),
        ({"FORCE_COLOR": "3", "NO_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"TERM": "dumb"}, False, False),
    ],
    ids=lambda value: "+".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else None,
)
def test_the_first_variable_that_is_set_decides(
    bare: Shell, variables: dict[str, str], in_pipe: bool, in_terminal: bool
) -> None:
    bare.environ = {k: v for k, v in bare.environ.items() if k not in NAMES} | variables

    piped = bare.run("check", "nobody").stderr
    shown = Terminal(bare, "check", "nobody").to_the_end()

    assert ("\x1b[31;1merror\x1b[0m: " in piped) is in_pipe
    assert ("\x1b[31;1merror\x1b[0m: " in shown) is in_terminal
