"""The live view of a run in a terminal, painted by the event loop at most eight times a second."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from llm_orc.cli.run.progress import RunProgress
from llm_orc.engine.events import RunStarted

if TYPE_CHECKING:
    from typing import TextIO

    from llm_orc.engine.events import RunEvent

_PAUSE_S = 1 / 8
_IDLE_S = 1.0  # repaint only for the clocks
_NARROWEST = 20


class LiveView:
    """Paints on `stream`, a terminal. `stays`: leave the last lines there, as nothing else is shown after it."""

    wants_text = True

    def __init__(self, stream: TextIO, *, colour: bool, stays: bool) -> None:
        self._console = Console(
            file=stream, force_terminal=True, no_color=not colour, highlight=False, markup=False
        )
        self._stays = stays
        self._progress = RunProgress()
        self._live: Live | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_new = True
        self._painted_at = 0.0

    def show(self, event: RunEvent) -> None:
        self._progress.apply(event)
        self._is_new = True
        if self._live is None and isinstance(event, RunStarted):
            self._start()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._live is not None:
            self._paint()
            self._live.stop()
            self._live = None

    def _start(self) -> None:
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=not self._stays,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()
        self._tick()

    def _tick(self) -> None:
        if self._is_new or time.monotonic() - self._painted_at >= _IDLE_S:
            self._paint()
        self._timer = asyncio.get_running_loop().call_later(_PAUSE_S, self._tick)

    def _paint(self) -> None:
        width, height = self._console.size
        lines = self._progress.lines(max(width - 1, _NARROWEST), max(height - 1, 2), time.time())
        texts = [
            Text.assemble((line.mark, line.style), " ", line.text, no_wrap=True, overflow="crop") for line in lines
        ]
        if self._live is not None:
            self._live.update(Group(*texts), refresh=True)
        self._is_new = False
        self._painted_at = time.monotonic()
