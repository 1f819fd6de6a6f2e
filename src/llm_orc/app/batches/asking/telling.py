"""Tell somebody that rows of a batch wait for people: by the command of the user's settings, and each row once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.app.approvals.commands import row_asks_value
from llm_orc.app.approvals.notify import send
from llm_orc.batches.database import StoreFailure, in_store
from llm_orc.batches.questions import take_untold

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from llm_orc.app.wiring import App
    from llm_orc.batches.batch import Batch

EVERY_S = 60.0
"""How long what is asked in a batch that goes on is gathered, before somebody is told again."""

_MOST = 20  # questions of one notification; the number of all is told


class Telling:
    """Tells of questions in a batch while a process works on it: at once, then every minute, and at last.

    Of several workers, the first tells it.
    """

    def __init__(self, app: App, tell: Callable[[str], None]) -> None:
        self._app, self._tell = app, tell
        self._task: asyncio.Task[None] | None = None

    def look(self, batch: Batch, engine: sa.Engine) -> None:
        """See whether something is to be told, and do it while the work goes on."""
        if not batch.asking or not self._app.settings.notifications.command:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(batch, engine))

    async def finish(self, batch: Batch, engine: sa.Engine) -> None:
        """Return when everything is told: no `look` follows."""
        await self.settled()
        self.look(batch, engine)
        await self.settled()

    async def settled(self) -> None:
        """Return when what was to be told is told."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _look(self, batch: Batch, engine: sa.Engine) -> None:
        now = self._app.clock.now()
        earliest = now if batch.only_asks else now - EVERY_S
        try:
            asked = await in_store(partial(take_untold, engine, batch.batch_id, now, earliest))
        except StoreFailure:
            return  # whoever works on the batch meets it too
        if asked:
            shown = row_asks_value(asked[:_MOST])
            of_batch = {"batch_id": batch.batch_id, "ensemble": batch.ensemble, "rows": batch.asking}
            await send(self._app, {"event": "waiting", **of_batch, "questions": shown}, self._tell)
