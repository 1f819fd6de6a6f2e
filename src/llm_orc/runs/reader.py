"""Pass events to a reader: an exception that it raises only ends its own reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.engine.surprises import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.engine.events import RunEvent


class Reader:
    """Isolates a run from its reader. `failure` is what the reader raised; then it receives no more events."""

    def __init__(self, show: Callable[[RunEvent], None]) -> None:
        self.failure: Exception | None = None
        self._show = show

    def show(self, event: RunEvent) -> None:
        """Pass the event on. Never raises."""
        if self.failure is not None:
            return
        try:
            self._show(event)
        except Exception as e:  # noqa: BLE001 - the seam to readers: answers are paid for in any case
            self.failure = e
            LOGGER.error(
                "the reader of this run's events raised an exception and receives no more of them", exc_info=e
            )
