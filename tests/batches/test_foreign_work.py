"""Nobody who can write to a store can make a worker run code: other forms than ours are refused, and rows parked."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from llm_orc.batches.batch import AGENT_WORKFLOW
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import engine_of, in_store
from llm_orc.batches.store_url import StoreUrl, parse_store_url
from llm_orc.batches.workers.queues import client_of
from tests.batches.intruder import Intruder, Mark, carry_out, prepared, submit, working_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dbos import DBOSClient

    from tests.batches.postgres import Postgres

LIMIT_S = 60
FORMS = ("py_pickle", "portable_json", "custom_serializer", "llm_orc_json2", "")


@pytest.mark.slow
def test_the_engine_by_itself_runs_the_code_of_a_row(mark: Mark, bomb: str) -> None:
    program = (
        "import sys\n"
        "from dbos._serialization import DBOSPortableJSON, deserialize_value\n"
        "deserialize_value(sys.argv[1], 'py_pickle', DBOSPortableJSON)\n"
    )

    subprocess.run([sys.executable, "-c", program, bomb], check=True, timeout=60)

    assert mark.is_there


DAMAGED_INPUTS = (
    "",
    "{",
    "[" * 100_000,
    "[]",
    "{}",
    '{"args": 1, "kwargs": 2}',
    '{"args":["b1",1,1],"kwargs":{}}',  # another row's
    "1e999",
)
OTHER_WORK = (
    "name = 'temp_workflow'",
    "name = NULL",
    "class_name = 'Other'",
    "config_name = 'other'",
    "authenticated_roles = 'no json'",
)


async def test_rows_in_other_forms_or_damaged_are_parked_before_the_engine_reads_them_and_others_are_done(
    store: StoreUrl, write: Intruder, mark: Mark, bomb: str
) -> None:
    notes: list[str] = []
    number = len(FORMS) + len(DAMAGED_INPUTS) + len(OTHER_WORK)
    others = [1, number + 2]
    async with asyncio.timeout(LIMIT_S):
        await prepared(store, number + 2)
        names = (f"b1:{row}:1" for row in range(2, number + 2))
        for form in FORMS:
            write.replace_inputs(next(names), form, bomb)
        for text in DAMAGED_INPUTS:
            write.replace_inputs(next(names), "llm_orc_json", text)
        for change in OTHER_WORK:
            write(f"UPDATE @workflow_status SET {change} WHERE workflow_uuid = :n", n=next(names))
        async with working_on(store, notes) as worker:
            rows = await carry_out(worker, number + 2)

    assert not mark.is_there
    assert {rows[n].state for n in others} == {"completed"}
    assert {rows[n].error_code for n in rows if n not in others} == {"row_parked"}
    assert all(form in str(rows[n].error) for n, form in enumerate(FORMS, 2))
    assert all(str(store) in str(rows[n].error) for n in rows if n not in others)
    assert {sentence.partition(",")[0] for sentence in notes} == {
        f"b1: row {n} is parked" for n in rows if n not in others
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "text"),
    [("py_pickle", None), ("portable_json", "{}"), ("llm_orc_json", "[" * 100_000), ("llm_orc_json", "{}")],
)
async def test_a_row_that_is_changed_while_a_worker_runs_is_parked_too(
    store: StoreUrl, write: Intruder, mark: Mark, bomb: str, form: str, text: str | None
) -> None:
    async with asyncio.timeout(LIMIT_S), working_on(store, []) as worker:
        await submit(worker.store)
        write.replace_inputs("b1:2:1", form, bomb if text is None else text)
        rows = await carry_out(worker)

    assert not mark.is_there
    assert [rows[n].state for n in (1, 2, 3)] == ["completed", "failed", "completed"]


@pytest.mark.slow
async def test_work_that_belongs_to_no_row_is_removed_and_delays_nothing(
    store: StoreUrl, write: Intruder, mark: Mark, bomb: str
) -> None:
    notes: list[str] = []
    names = ("evil", "", "::", "b1:x:1", "b1:2:1:a:b", "sched-1", "b1:0:0", "b1:9:9", "b1:" + "9" * 5_000 + ":1")
    states = ("PENDING", "ENQUEUED", "SUCCESS", "ERROR", "CANCELLED", "no state")
    put = [f"{name}{i or ''}" for i in range(len(states)) for name in names]
    async with asyncio.timeout(LIMIT_S):
        await prepared(store)
        for i, name in enumerate(put):
            write(
                "INSERT INTO @workflow_status (workflow_uuid, status, name, inputs, output, error, serialization,"
                " executor_id, queue_name, created_at, updated_at, priority, application_version, recovery_attempts)"
                " VALUES (:n, :s, 'llm-orc-row', :b, :b, :b, 'py_pickle', 'gone', '_dbos_internal_queue', 1, 1, 0,"
                " '1', 0)",
                n=name,
                s=states[i // len(names)],
                b=bomb,
            )
        async with working_on(store, notes) as worker:
            rows = await carry_out(worker)
            found = await in_store(partial(worker.store.client.list_workflows, workflow_ids=put))

    assert not mark.is_there
    assert {row.state for row in rows.values()} == {"completed"}
    assert found == []
    assert any(sentence.startswith("`evil` was deleted from the store") for sentence in notes)


@pytest.mark.slow
async def test_a_kept_answer_in_another_form_or_damaged_is_not_read_and_its_row_is_parked(
    store: StoreUrl, write: Intruder, mark: Mark, bomb: str
) -> None:
    kept = [
        (column, form) for form in ("py_pickle", "portable_json", "llm_orc_json") for column in ("output", "error")
    ]
    async with asyncio.timeout(LIMIT_S):
        await prepared(store, len(kept) + 1)
        for row, (column, form) in enumerate(kept, 2):
            write(
                f"INSERT INTO @operation_outputs (workflow_uuid, function_id, function_name, {column}, serialization)"
                " VALUES (:n, 1, 'agent:a', :b, :f)",
                n=f"b1:{row}:1",
                b=bomb,
                f=form,
            )
        async with working_on(store, []) as worker:
            rows = await carry_out(worker, len(kept) + 1)

    assert not mark.is_there
    assert rows.pop(1).state == "completed"
    assert {row.error_code for row in rows.values()} == {"row_parked"}
    assert all(str(store) in str(row.error) and "mistake" not in str(row.error) for row in rows.values())


READS: dict[str, Callable[[DBOSClient], object]] = {
    "list with all": lambda client: client.list_workflows(load_input=True, load_output=True),
    "queued": lambda client: client.list_queued_workflows(load_input=True),
    "steps": lambda client: client.list_workflow_steps("b1:1:1"),
    "result": lambda client: client.retrieve_workflow("b1:1:1").get_result(),
    "status": lambda client: client.retrieve_workflow("b1:1:1").get_status(),
    "error": lambda client: client.retrieve_workflow("b1:2:1").get_result(),
    "event": lambda client: client.get_event("b1:1:1", "k", 0.1),
    "stream": lambda client: list(client.read_stream("b1:1:1", "k")),
    "schedules": lambda client: client.list_schedules(),
    "fork": lambda client: client.fork_workflow("b1:1:1", 2),
    "resume": lambda client: client.resume_workflow("b1:3:1"),
    "cancel": lambda client: client.cancel_workflow("b1:3:1"),
    "delete": lambda client: client.delete_workflows(["b1:3:1"]),
}


@pytest.mark.slow
async def test_whatever_the_engine_is_asked_for_it_runs_no_code_of_a_row(
    store: StoreUrl, write: Intruder, mark: Mark, bomb: str
) -> None:
    async with asyncio.timeout(LIMIT_S):
        await prepared(store)
    for number, status in ((1, "SUCCESS"), (2, "ERROR"), (3, "ENQUEUED")):
        write.replace_inputs(f"b1:{number}:1", "py_pickle", bomb)
        write(
            "UPDATE @workflow_status SET status = :s, output = :b, error = :b WHERE workflow_uuid = :n",
            s=status,
            b=bomb,
            n=f"b1:{number}:1",
        )
    values = {"b": bomb, "f": "py_pickle"}
    write(
        "INSERT INTO @operation_outputs (workflow_uuid, function_id, function_name, output, serialization)"
        " VALUES ('b1:1:1', 1, 'agent:a', :b, :f)",
        **values,
    )
    write("INSERT INTO @workflow_events VALUES ('b1:1:1', 'k', :b, :f)", **values)
    write(
        'INSERT INTO @streams (workflow_uuid, key, value, "offset", function_id, serialization)'
        " VALUES ('b1:1:1', 'k', :b, 0, 1, :f)",
        **values,
    )
    write(
        "INSERT INTO @notifications (message_uuid, destination_uuid, topic, message, serialization, created_at_epoch_ms)"
        " VALUES ('m', 'b1:1:1', 't', :b, :f, 1)",
        **values,
    )
    write(
        "INSERT INTO @workflow_schedules (schedule_id, schedule_name, workflow_name, schedule, context)"
        " VALUES ('s', 's', 'llm-orc-row', '* * * * * *', :b)",
        b=bomb,
    )
    engine = engine_of(store)
    client = client_of(engine)

    try:
        for read in READS.values():
            with contextlib.suppress(Exception):  # it may refuse, in whatever words, or give the text as it is
                read(client)
    finally:
        client.destroy()
        engine.dispose()

    assert not mark.is_there


@pytest.mark.slow
async def test_schedules_of_others_are_removed(store: StoreUrl, write: Intruder, mark: Mark, bomb: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        await prepared(store)
        write(
            "INSERT INTO @workflow_schedules (schedule_id, schedule_name, workflow_name, schedule, context)"
            " VALUES ('s', 's', 'llm-orc-row', '* * * * * *', :b)",
            b=bomb,
        )
        async with working_on(store, []) as worker:
            rows = await carry_out(worker)
            left = await in_store(worker.store.client.list_schedules)

    assert not mark.is_there
    assert left == []
    assert {row.state for row in rows.values()} == {"completed"}


@pytest.mark.slow
async def test_work_of_another_application_in_the_same_database_is_left_alone(
    store: StoreUrl, write: Intruder
) -> None:
    async with asyncio.timeout(LIMIT_S):
        await prepared(store)
        write(
            "INSERT INTO @workflow_status (workflow_uuid, status, name, serialization, created_at, updated_at, priority,"
            " application_name) VALUES ('theirs', 'ENQUEUED', 'their-work', 'py_pickle', 1, 1, 0, 'their-app')"
        )
        async with working_on(store, []) as worker:
            await carry_out(worker)
            left = await in_store(partial(worker.store.client.list_workflows, workflow_ids=["theirs"]))

    assert [one.workflow_id for one in left] == ["theirs"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["py_pickle", "portable_json"])
async def test_an_answer_of_an_agent_on_a_shared_queue_is_not_read_in_another_form(
    postgres: Postgres, tmp_path: Path, mark: Mark, bomb: str, form: str
) -> None:
    store_url = parse_store_url(postgres.url, tmp_path)
    engine = engine_of(store_url)
    client = client_of(engine)
    try:
        async with asyncio.timeout(LIMIT_S):
            await prepared(store_url)
        Intruder(store_url)(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, output, serialization, created_at,"
            " updated_at, priority, application_name) VALUES ('b1:1:1:a', 'SUCCESS', :w, :b, :f, 1, 1, 0, 'llm-orc')",
            w=AGENT_WORKFLOW,
            b=bomb,
            f=form,
        )
        found = client.list_workflows(workflow_ids=["b1:1:1:a"], load_output=True)
    finally:
        client.destroy()
        BatchStore(engine).delete("b1")
        engine.dispose()

    assert not mark.is_there
    assert found[0].output in {None, bomb}
