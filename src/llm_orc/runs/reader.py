"""Pass events to whoever looks on: what a reader raises ends its looking on, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.engine.surprises import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.engine.events import RunEvent


class Reader:
    """Guards a run from its reader. `failure` is what the reader raised; it hears no more events then."""

    def __init__(self, show: Callable[[RunEvent], None]) -> None:
        self.failure: Exception | None = None
        self._show = show

    def show(self, event: RunEvent) -> None:
        """Pass the event on. Never raises."""
        if self.failure is not None:
            return
        try:
            self._show(event)
        except Exception as e:  # noqa: BLE001 - the seam to readers: answers are paid for, whoever looks on
            self.failure = e
            LOGGER.error("whoever is shown the events of this run failed, and hears no more of it", exc_info=e)
