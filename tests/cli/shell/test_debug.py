"""`--debug` shows where an error came from that ended one agent and not the command."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from llm_orc.cli.shell.exits import exit_code_of
from llm_orc.engine.surprises import LOGGER, as_error


@pytest.fixture
def logger_as_it_was() -> Iterator[None]:
    handlers, level, propagates = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    yield
    LOGGER.handlers[:], LOGGER.propagate = handlers, propagates
    LOGGER.setLevel(level)


def one_agent_fails() -> int:
    try:
        raise KeyError("nobody foresaw this: sk-canary-4711")
    except KeyError as e:
        as_error(e)
    return 0


@pytest.mark.usefixtures("logger_as_it_was")
@pytest.mark.parametrize("arguments", [["--debug", "invoke"], ["invoke"]])
def test_the_traceback_of_one_agents_failure_is_shown_with_debug_alone(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRETEND_API_KEY", "sk-canary-4711")

    assert exit_code_of(one_agent_fails, arguments) == 0

    said = capsys.readouterr().err
    assert ("one_agent_fails" in said) is ("--debug" in arguments)
    assert "canary" not in said
    assert logging.getLogger("llm_orc") is LOGGER
