"""`llm-orc status`: access, billing, defaults, conversations, runs and storage on one screen."""

from __future__ import annotations

import platform
import time
from typing import TYPE_CHECKING

from llm_orc._version import VERSION
from llm_orc.app.approvals.commands import asks_value
from llm_orc.cli.inspect.next_steps import unfinished_lines
from llm_orc.cli.inspect.today import today_value, today_words
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.errors import LlmOrcError
from llm_orc.formats.figures import count, moment, relative
from llm_orc.formats.printable import one_line
from llm_orc.net.late_loop import run_late

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.diagnostics.status import Status
    from llm_orc.jsontypes import JsonValue

_LABEL = 14  # columns


@define_command({4: "agents that name no model have no access, or none that they may use unasked"})
@json_option
def command(*, as_json: bool) -> int:
    """Show on one screen who would answer, who would pay, what you have, and what is unfinished.

    Local servers and official CLIs are asked how they are; nobody elsewhere is.
    """
    from llm_orc.app.diagnostics.status import look

    status = run_late(look(app_here()))
    if as_json:
        write_json(_value(status))
    else:
        write_data("".join(f"{label.ljust(_LABEL)}{words}\n" for label, words in _lines(status)))
        if not status.has_access:
            note("There is no model for agents that name none. Set one up with: llm-orc setup")
    return 0 if status.has_access else 4


def _lines(status: Status) -> Iterator[tuple[str, str]]:
    from llm_orc.cli.shell.access_lines import WHO_PAYS

    yield "llm-orc", f"{VERSION}, Python {platform.python_version()}"
    default = status.default
    if isinstance(default, LlmOrcError):
        yield "default", one_line(default.message)
    else:
        access = default.access
        what = f"{access.provider} {default.model} · {WHO_PAYS[access.billing]} · {access.source}"
        yield "default", one_line(what)
    for one in status.credentials:
        pays = f", {one.billing}" if one.is_used else ", not used"
        only = ", interactive use only" if one.interactive_only is not None else ""
        yield "access", one_line(f"{one.provider}: {one.state}{pays}{only}; {one.source}")
    if status.protection is not None:
        yield "credentials", status.protection
    broken = f", {status.broken_ensembles} that can't be read (llm-orc doctor)" if status.broken_ensembles else ""
    yield "ensembles", f"{status.own_ensembles} of yours, {status.packaged_ensembles} packaged{broken}"
    yield from _history(status)
    if status.today is not None:
        yield "today", today_words(status.today)
    yield "storage", f"{status.storage_bytes / 1_000_000:.1f} MB in {status.storage}"
    yield from unfinished_lines(status)


def _history(status: Status) -> Iterator[tuple[str, str]]:
    last = status.last_conversation
    said = f", last `{last.name}` {relative(last.changed_at, time.time())}" if last is not None else ""
    yield "conversations", one_line(f"{status.conversations:,}{said}")
    run = status.last_run
    turns = f" and {count(status.chat_turns, 'turn')} of chats" if status.chat_turns else ""
    ran = f", last {run.ensemble} {relative(run.started_at, time.time())}: {run.status}" if run is not None else ""
    yield "runs", one_line(f"{count(status.runs, 'run')}{turns} kept{ran}")


def _value(status: Status) -> JsonValue:
    default = status.default
    return {
        "version": VERSION,
        "python": platform.python_version(),
        "default": None
        if isinstance(default, LlmOrcError)
        else {
            "provider": default.access.provider,
            "model": default.model,
            "method": default.access.method,
            "billing": str(default.access.billing),
            "evidence": default.access.source,
        },
        "default_problem": default.message if isinstance(default, LlmOrcError) else None,
        "access": [
            {
                "provider": one.provider,
                "method": one.method,
                "state": one.state,
                "billing": str(one.billing),
                "source": one.source,
                "is_used": one.is_used,
            }
            for one in status.credentials
        ],
        "ensembles": {
            "own": status.own_ensembles,
            "packaged": status.packaged_ensembles,
            "broken": status.broken_ensembles,
        },
        "conversations": status.conversations,
        "runs": status.runs,
        "chat_turns": status.chat_turns,
        "unfinished_run": status.unfinished[0].run_id if status.unfinished else None,
        "unfinished_runs": len(status.unfinished),
        "waiting_runs": [
            {"run_id": run.run_id, "waits_until": moment(run.waits_until or 0.0)} for run in status.waiting
        ],
        "asking_runs": [
            {"run_id": run.run_id, "ensemble": run.ensemble, "asks": asks_value(run.run_id, run.asks)}
            for run in status.asking
        ],
        "batches": _batches_value(status),
        "untrusted_project": None
        if status.untrusted is None
        else {"directory": str(status.untrusted.root), "values": status.untrusted.values},
        "today": today_value(status.today),
        "storage": {"path": str(status.storage), "bytes": status.storage_bytes},
    }


def _batches_value(status: Status) -> JsonValue:
    seen = status.batches
    if seen is None:
        return {"total": 0, "unfinished": []}
    if seen.glance is None:
        return {"total": None, "unfinished": None, "store": seen.store, "problem": seen.problem}
    return {
        "total": seen.glance.total,
        "unfinished": [
            {
                "batch_id": batch.batch_id,
                "ensemble": batch.ensemble,
                "state": batch.state,
                "rows": batch.total,
                "ended": batch.ended,
                "waiting_for_answer": batch.asking,
                "waits_until": None if batch.waits_until is None else moment(batch.waits_until),
            }
            for batch in seen.glance.unfinished
        ],
        "is_worked_on": seen.is_worked_on,
    }
