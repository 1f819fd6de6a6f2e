"""`llm-orc workers`: the workers of a store."""

from __future__ import annotations

import sys

from llm_orc.cli.batch.options import store_option
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.formats.figures import moment, seconds


@define_command()
@json_option
@store_option
def command(*, as_json: bool, store: str | None) -> None:
    """Show the workers of a store: where they run, when they were last seen, and what they hold.

    A worker that disappears is declared dead after two checks some seconds apart; one without a sign of life,
    after half a minute. Its rows are queued again.
    """
    from llm_orc.app.batches.admin import open_batches

    app = app_here()
    with open_batches(app, store) as batches:
        found = batches.workers(app.clock.now()) if batches else []
    if as_json:
        write_json(
            [
                {
                    "worker_id": worker.worker_id,
                    "host": worker.host,
                    "pid": worker.pid,
                    "started_at": moment(worker.started_at),
                    "seen_s": worker.heartbeat_age_s,
                    "rows": worker.rows,
                    "agents": worker.agents,
                }
                for worker in found
            ]
        )
    elif found:
        heading = [
            Column("WORKER", shrinks=True),
            Column("HOST", shrinks=True),
            Column("PID", is_number=True),
            Column("STARTED", shrinks=True),
            Column("SEEN", is_number=True),
            Column("ROWS", is_number=True),
            Column("AGENTS", is_number=True),
        ]
        rows = [
            (
                w.worker_id,
                w.host,
                str(w.pid),
                moment(w.started_at),
                f"{seconds(w.heartbeat_age_s)} ago",
                str(w.rows),
                str(w.agents),
            )
            for w in found
        ]
        write_data(table(heading, rows, columns(sys.stdout)))
    else:
        note("This store has no workers. Start one with: llm-orc worker")
