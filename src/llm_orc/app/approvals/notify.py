"""Tell somebody that a run waits: run the command of the user's settings, with what is asked as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from llm_orc.app.approvals.commands import asks_value
from llm_orc.net.text import one_line
from llm_orc.processes.child import Child, TooMuchOutput
from llm_orc.processes.environment import basic_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.engine.events import ApprovalAsked
    from llm_orc.jsontypes import JsonValue

LIMIT_S = 15.0
_MOST_BYTES = 1_000_000  # of its output, which nobody reads


async def notify(
    app: App, run_id: str, ensemble: str, asked: Sequence[ApprovalAsked], tell: Callable[[str], None]
) -> None:
    """Run `notifications.command`, if it is set. What goes wrong with it is told, and never the run's failure.

    Its environment has no keys and no tokens.
    """
    if asked:
        questions = asks_value(run_id, asked)
        await send(app, {"event": "waiting", "run_id": run_id, "ensemble": ensemble, "questions": questions}, tell)


async def send(app: App, document: JsonValue, tell: Callable[[str], None]) -> None:
    """Run the command with a document. See `notify`."""
    command = app.settings.notifications.command
    if not command:
        return
    try:
        problem = await _run(app, command, json.dumps(document) + "\n")
    except (OSError, TooMuchOutput) as e:
        problem = getattr(e, "strerror", None) or "it wrote too much"
    except TimeoutError:
        problem = f"it took longer than {LIMIT_S:g} s"
    if problem is not None:
        tell(f"`notifications.command` (`{one_line(command[0])}`) failed: {problem}")


async def _run(app: App, command: Sequence[str], document: str) -> str | None:
    """Return what went wrong, as the end of a sentence; None: nothing."""
    environ = basic_environment(app.environment.environ)
    child = await Child.start(command, environ, app.environment.cwd, most_bytes=_MOST_BYTES)
    try:
        async with asyncio.timeout(LIMIT_S):
            await child.send(document.encode(), is_last=True)
            await child.rest()
            code, words = await child.complaint()
    finally:
        await child.stop()
    return None if code == 0 else f"exit code {code}{f', {words}' if words else ''}"
