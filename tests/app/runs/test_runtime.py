"""One runtime for many runs: what they share, and what stays each run's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.sign_in import add_api_key
from llm_orc.app.history.runs import list_runs
from llm_orc.app.runs.runtime import Runtime
from llm_orc.app.wiring import App
from llm_orc.auth.secret import Secret
from llm_orc.engine.events import RunStarted
from llm_orc.errors import NotLoggedIn, StorageError
from llm_orc.runs.results import RunResult
from llm_orc.sandbox.faults import Fault, Hang, Status
from llm_orc.sandbox.server import Sandbox
from tests.app import conftest
from tests.app.conftest import Seen, Workspace, local, on_sandbox


async def run_on(runtime: Runtime, name: str, task: str = "the task", **options: object) -> tuple[RunResult, Seen]:
    return await conftest.run_on(runtime.app, name, task, runtime, **options)


@pytest.fixture
def app(workspace: Workspace, sandbox: Sandbox) -> App:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("two", local("first"), local("second", depends_on=["first"]))
    workspace.ensemble("nobody", {"name": "a", "provider": "anthropic-api"})
    return workspace.app()


async def test_runs_at_the_same_time_are_recorded_each_for_itself(app: App, sandbox: Sandbox) -> None:
    tasks = [f"task {number}" for number in range(20)]

    async with Runtime(app) as runtime:
        runs = await asyncio.gather(*(run_on(runtime, "two", task) for task in tasks))

    assert [result.task for result, _ in runs] == tasks
    assert all(result.status == "completed" and result.recorded for result, _ in runs)
    for result, seen in runs:
        assert [event.run_id for event in seen.events if isinstance(event, RunStarted)] == [result.run_id]
    assert {summary.run_id for summary in list_runs(app)} == {result.run_id for result, _ in runs}
    assert all((summary.status, summary.finished) == ("completed", 2) for summary in list_runs(app))
    assert sandbox.request_count == 40


async def test_the_journal_is_opened_with_the_first_run_that_is_recorded(app: App) -> None:
    database = app.paths.runs_database

    async with Runtime(app) as runtime:
        await run_on(runtime, "two", record=False)
        assert not database.exists()
        await run_on(runtime, "two")
        database.unlink()  # whoever opened it again would begin an empty file
        again, _ = await run_on(runtime, "two")
        assert not database.exists()

    assert again.recorded


async def test_a_rehearsal_and_a_run_share_a_runtime(app: App, sandbox: Sandbox) -> None:
    async with Runtime(app) as runtime:
        rehearsed, real = await asyncio.gather(run_on(runtime, "two", rehearse=True), run_on(runtime, "two"))

    assert (rehearsed[0].sandbox, real[0].sandbox) == (True, False)
    assert {agent.access.method for agent in rehearsed[0].agents if agent.access} == {"sandbox"}
    assert sandbox.request_count == 2


async def test_the_notices_of_a_run_are_its_own(workspace: Workspace, sandbox: Sandbox) -> None:
    fallback = {"fallback_model_profile": "nobody"}
    workspace.settings(
        on_sandbox(
            sandbox,
            model_profiles={
                "free": {"provider": "openai-compatible", "model": "m", **fallback},
                "nobody": {"provider": "anthropic-api", "model": "m"},
            },
        )
    )
    workspace.ensemble("plain", local("a"))
    workspace.ensemble("fallback", {"name": "a", "model_profile": "free"})
    async with Runtime(workspace.app()) as runtime:
        (_, told), (_, plain) = await asyncio.gather(run_on(runtime, "fallback"), run_on(runtime, "plain"))

    assert any("`nobody` is left out" in notice for notice in told.plans[0].notices)
    assert plain.plans[0].notices == ()


async def test_access_that_was_missing_is_looked_for_again(app: App) -> None:
    async with Runtime(app) as runtime:
        with pytest.raises(NotLoggedIn):
            await run_on(runtime, "nobody", allow_metered=True)
        add_api_key(app, open_provider(app, "anthropic-api"), Secret("sk-canary-1"))

        result, _ = await run_on(runtime, "nobody", allow_metered=True)

    assert result.status == "completed"


async def test_a_key_that_was_refused_is_read_again_for_the_next_run(workspace: Workspace, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-canary-old")
    key.chmod(0o600)
    async with Sandbox(faults=[Fault(Status(401), times=1)]) as sandbox:
        settings = on_sandbox(sandbox)
        settings["providers"]["openai-compatible"]["api_key_file"] = str(key)  # type: ignore[index]
        workspace.settings(settings)
        workspace.ensemble("one", local("a"))
        async with Runtime(workspace.app()) as runtime:
            refused, _ = await run_on(runtime, "one")
            key.write_text("sk-canary-new")
            answered, _ = await run_on(runtime, "one")

    assert (refused.status, answered.status) == ("failed", "completed")
    sent = [request.headers["authorization"] for request in sandbox.requests]
    assert sent == ["Bearer sk-canary-old", "Bearer sk-canary-new"]


async def test_a_journal_that_can_not_be_opened_is_tried_again(app: App) -> None:
    app.paths.runs_database.mkdir(parents=True)
    async with Runtime(app) as runtime:
        with pytest.raises(StorageError):
            await run_on(runtime, "two")
        app.paths.runs_database.rmdir()

        result, _ = await run_on(runtime, "two")

    assert result.recorded


async def test_a_run_that_is_cancelled_leaves_the_others_alone(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Hang(), model="slow")]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("slow", local("a", model="slow"))
        workspace.ensemble("two", local("first"), local("second", depends_on=["first"]))
        app = workspace.app()
        async with Runtime(app) as runtime:
            slow = asyncio.create_task(run_on(runtime, "slow"))
            while not sandbox.request_count:
                await asyncio.sleep(0.01)
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
            result, _ = await run_on(runtime, "two")

    assert result.status == "completed"
    assert {summary.ensemble: summary.status for summary in list_runs(app)} == {
        "two": "completed",
        "slow": "interrupted",
    }
