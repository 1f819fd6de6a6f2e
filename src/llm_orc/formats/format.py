"""The two kinds of output format: a whole result as one text, or one line for each event."""

from __future__ import annotations

from collections.abc import Callable

from llm_orc.dataclass import dataclass
from llm_orc.engine.events import RunEvent
from llm_orc.errors import LlmOrcError
from llm_orc.runs.results import RunResult


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """`result` ends with a newline. `error` is written instead if there is no result; None: nothing is."""

    result: Callable[[RunResult], str]
    error: Callable[[LlmOrcError], str] | None = None


@dataclass(frozen=True, slots=True)
class EventFormat:
    """`event` returns one line without its newline; `error` the line for a run that ended without a result."""

    event: Callable[[RunEvent], str]
    error: Callable[[LlmOrcError], str]


Format = ResultFormat | EventFormat
