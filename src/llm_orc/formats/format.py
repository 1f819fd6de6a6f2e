"""What an output format is: a whole result as one text, or one line for each event as it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llm_orc.engine.events import RunEvent
from llm_orc.errors import LlmOrcError
from llm_orc.runs.state import RunResult


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """`result` ends with a newline. `error` is what a run that gave no result puts in its place; None: nothing."""

    result: Callable[[RunResult], str]
    error: Callable[[LlmOrcError], str] | None = None


@dataclass(frozen=True, slots=True)
class EventFormat:
    """`event` returns one line without its newline; `error` the line for a run that ended without a result."""

    event: Callable[[RunEvent], str]
    error: Callable[[LlmOrcError], str]


Format = ResultFormat | EventFormat
