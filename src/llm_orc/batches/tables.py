"""The tables of batches and rows, and those tables of the durable engine that we read and write ourselves.

A batch's tasks, and what else shapes its answers, never change once they are written: the batch's id is made from
them, and the id is the input of every workflow. Times are Unix seconds.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

SCHEMA = 6
"""Version of the tables. A release that changes them raises it, and `make_tables` upgrades older stores."""

STORE = sa.Table("llm_orc_store", METADATA, sa.Column("schema", sa.Integer, nullable=False))  # one row

BATCHES = sa.Table(
    "llm_orc_batches",
    METADATA,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("ensemble", sa.Text, nullable=False),
    sa.Column("inputs", sa.Text, nullable=False),  # where they come from, for people
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # open | cancelled | spent
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("is_rehearsal", sa.Integer, nullable=False, server_default="0"),  # canned answers
    sa.Column("recipe", sa.LargeBinary, nullable=False),  # a Recipe without its task
    sa.Column("max_cost_usd", sa.Float(53)),
    sa.Column("max_calls", sa.Integer),
    sa.Column("row_max_cost_usd", sa.Float(53)),  # of each attempt at a row, as of a run
    sa.Column("row_max_calls", sa.Integer),
    sa.Column("calls", sa.Integer, nullable=False, server_default="0"),  # attempted calls, retries included
    sa.Column("spent_usd", sa.Float(53), nullable=False, server_default="0"),  # counted while the cost has a limit
    sa.Column("max_total_tokens", sa.BigInteger),
    sa.Column("row_max_total_tokens", sa.BigInteger),
    sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"),  # counted while they have a limit
)

ROWS = sa.Table(
    "llm_orc_rows",
    METADATA,
    sa.Column("batch_id", sa.Text, sa.ForeignKey(BATCHES.c.batch_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # from 1, in the order of the input
    sa.Column("line", sa.Integer, nullable=False),  # of the input file; 0: a file of its own
    sa.Column("label", sa.Text, nullable=False),  # a name for people: of a file, or from an `id` column
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("fields", sa.LargeBinary, nullable=False),  # the input's own columns, as JSON
    # waiting | asking | completed | completed_with_errors | failed | cancelled
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("takeovers", sa.Integer, nullable=False, server_default="0"),  # takeovers since the last answer
    sa.Column("alone", sa.Integer, nullable=False, server_default="0"),  # carried out as the only suspect row
    sa.Column("steps_then", sa.Integer, nullable=False, server_default="0"),  # answers stored at the last takeover
    sa.Column(
        "calls", sa.Integer, nullable=False, server_default="0"
    ),  # of this attempt; counted if rows have a limit
    sa.Column("spent_usd", sa.Float(53), nullable=False, server_default="0"),  # likewise
    sa.Column("ended_at", sa.Float(53)),
    sa.Column("error_code", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("record", sa.LargeBinary),  # its events, once it has ended or waits for a person
    sa.Column("spend", sa.LargeBinary),  # by who pays, as JSON
    sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"),  # as `calls`
    sa.Index("llm_orc_rows_by_state", "batch_id", "state"),
)

PARTS = sa.Table(
    "llm_orc_parts",
    METADATA,
    sa.Column("batch_id", sa.Text, sa.ForeignKey(BATCHES.c.batch_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),  # of what has ended within an agent of the row
    sa.Column("outcome", sa.Text, nullable=False),  # as of a step; until the row ends, whose record has it then
)

QUESTIONS = sa.Table(
    "llm_orc_questions",
    METADATA,
    sa.Column("batch_id", sa.Text, sa.ForeignKey(BATCHES.c.batch_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("agent", sa.Text, primary_key=True),  # the path of the agent that asks
    sa.Column("asked", sa.LargeBinary, nullable=False),  # an event `approval_asked`
    sa.Column("deadline", sa.Float(53)),  # of the answer; none: no limit
    sa.Column("answer", sa.LargeBinary),  # an event `approval_answered`; until the row ends, whose record has it
    sa.Column("told_at", sa.Float(53)),  # when `notifications.command` was told of it
)

RESERVATIONS = sa.Table(
    "llm_orc_holds",  # the name in stores of earlier builds too
    METADATA,
    sa.Column("hold_id", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.Text, sa.ForeignKey(BATCHES.c.batch_id, ondelete="CASCADE"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("worker_id", sa.Text, nullable=False),  # if it is gone: counted as spent, since it may be billed
    sa.Column("usd", sa.Float(53), nullable=False),  # reserved for a call in progress
    sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"),  # likewise
    sa.Column("path", sa.Text, nullable=False, server_default=""),  # of the agent that is called
    sa.Index("llm_orc_holds_by_batch", "batch_id"),
)

SPENT_WITHIN = sa.Table(
    "llm_orc_spent_within",
    METADATA,
    sa.Column("batch_id", sa.Text, sa.ForeignKey(BATCHES.c.batch_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),  # of what has limits of its own within the row
    sa.Column("calls", sa.Integer, nullable=False, server_default="0"),  # in this attempt at the row
    sa.Column("spent_usd", sa.Float(53), nullable=False, server_default="0"),
    sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"),
)

WORKERS = sa.Table(
    "llm_orc_workers",
    METADATA,
    sa.Column("worker_id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", sa.Float(53), nullable=False),
    sa.Column("seen_at", sa.Float(53), nullable=False),  # its last heartbeat, by the store's clock
    sa.Column("lock_key", sa.BigInteger, nullable=False),  # of its advisory lock, on PostgreSQL
)

LIMITS = sa.Table(
    "llm_orc_limits",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),  # the name of a provider
    sa.Column("requests_per_minute", sa.Integer),
    sa.Column("tokens_per_minute", sa.Integer),
    sa.Column("next_request_at", sa.Float(53), nullable=False, server_default="0"),
    sa.Column("next_tokens_at", sa.Float(53), nullable=False, server_default="0"),
)

PLAN_WAITS = sa.Table(
    "llm_orc_plan_waits",
    METADATA,
    sa.Column("batch_id", sa.Text, sa.ForeignKey(BATCHES.c.batch_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("plan", sa.Text, primary_key=True),  # its access, and the model if the limit is that of one
    sa.Column("until", sa.Float(53), nullable=False),  # no call of the batch before
    sa.Column("wait", sa.LargeBinary, nullable=False),  # an event `plan_wait_started`
)

CONTENTS = sa.Table(
    "llm_orc_contents",  # of files, each once
    METADATA,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

BATCH_CONTENTS = sa.Table(
    "llm_orc_batch_contents",  # which batch may read which; a content goes with the last one
    METADATA,
    sa.Column("batch_id", sa.Text, sa.ForeignKey(BATCHES.c.batch_id, ondelete="CASCADE"), primary_key=True),
    sa.Column("sha256", sa.Text, sa.ForeignKey(CONTENTS.c.sha256), primary_key=True),
)

ENGINE_SCHEMA = "dbos"  # a file has none: `engine_connection`

_ENGINE_METADATA = sa.MetaData()  # the engine creates these tables

# Documented at https://docs.dbos.dev/explanations/system-tables
ENGINE_WORKFLOWS = sa.Table(
    "workflow_status",
    _ENGINE_METADATA,
    sa.Column("workflow_uuid", sa.Text, primary_key=True),
    sa.Column("status", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("class_name", sa.Text),
    sa.Column("config_name", sa.Text),
    sa.Column("authenticated_roles", sa.Text),
    sa.Column("attributes", sa.Text),
    sa.Column("application_name", sa.Text),
    sa.Column("inputs", sa.Text),  # of an earlier release of the engine; else `ENGINE_INPUTS`
    sa.Column("serialization", sa.Text),  # the format that the engine would read its values in
    sa.Column("executor_id", sa.Text),  # the worker that carries it out, or did last
    sa.Column("owner_xid", sa.Text),  # of the one execution that may store answers
    sa.Column("queue_name", sa.Text),
    sa.Column("deduplication_id", sa.Text),
    sa.Column("started_at_epoch_ms", sa.BigInteger),
    sa.Column("updated_at", sa.BigInteger),
    sa.Column("completed_at", sa.BigInteger),
    sa.Column("workflow_deadline_epoch_ms", sa.BigInteger),
    sa.Column("delay_until_epoch_ms", sa.BigInteger),  # of one with the status DELAYED
    schema=ENGINE_SCHEMA,
)

ENGINE_INPUTS = sa.Table(
    "workflow_input",
    _ENGINE_METADATA,
    sa.Column("workflow_uuid", sa.Text, primary_key=True),
    sa.Column("inputs", sa.Text),
    schema=ENGINE_SCHEMA,
)

ENGINE_STEPS = sa.Table(
    "operation_outputs", _ENGINE_METADATA, sa.Column("workflow_uuid", sa.Text), schema=ENGINE_SCHEMA
)

ENGINE_SCHEDULES = sa.Table(
    "workflow_schedules",
    _ENGINE_METADATA,
    sa.Column("schedule_id", sa.Text, primary_key=True),
    sa.Column("application_name", sa.Text),
    schema=ENGINE_SCHEMA,
)


def damage_of(table: sa.Table, row: sa.Row[tuple[object, ...]]) -> str | None:
    """Describe the first value that is not of its column's type, as SQLite allows; None if all are."""
    for column in table.columns:
        value = row._mapping[column.name]  # noqa: SLF001 - SQLAlchemy's public way to read by name
        kind = column.type.python_type
        if value is not None and not isinstance(value, (int, float) if kind is float else kind):
            return f"`{table.name}.{column.name}` is {str(value)[:40]!r}"
    return None


def engine_connection(engine: sa.Engine) -> sa.Connection:
    """Connect so that `ENGINE_SCHEMA` names the place of the durable engine's tables, also in a file."""
    where = {ENGINE_SCHEMA: None} if engine.dialect.name == "sqlite" else {}
    return engine.connect().execution_options(schema_translate_map=where)
