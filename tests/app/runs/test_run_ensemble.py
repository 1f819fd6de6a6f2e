"""A run from the YAML to the result, over real sockets and a real journal."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from llm_orc.app.history.runs import get_run, list_runs
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.engine.events import AgentDelta, AgentFinished, AgentStarted, ModelRetrying, ModelSwitched
from llm_orc.errors import InputError, RunNotFound, RunNotResumable
from llm_orc.sandbox.faults import Cut, Delay, Fault, Garbage, Hang, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run


async def test_every_agent_is_asked_in_its_role_and_the_chair_gets_the_answers(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble(
        "panel", local("analyst"), local("lawyer"), local("chair", depends_on=["analyst", "lawyer"])
    )

    result, seen = await run(workspace.app(), "panel", "Invest?")

    assert (result.status, result.exit_code, result.recorded) == ("completed", 0, True)
    asked = {r.system_prompt: r.messages[-1].content for r in sandbox.requests}
    assert asked["You are analyst."] == asked["You are lawyer."] == "Invest?"
    assert result["analyst"].response is not None
    assert result["analyst"].response in asked["You are chair."]
    assert result.by_billing.keys() == {"local"}
    assert [a.agent for a in seen.plans[0].agents] == ["analyst", "lawyer", "chair"]
    assert not any(isinstance(e, AgentDelta) for e in seen.events)


async def test_who_watches_gets_the_text_as_it_comes(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))

    result, seen = await run(workspace.app(), "one", stream=True)

    pieces = [e.text for e in seen.events if isinstance(e, AgentDelta)]
    assert "".join(pieces) == result["a"].response
    kinds = [type(e) for e in seen.events]
    assert kinds.index(AgentStarted) < kinds.index(AgentDelta) < kinds.index(AgentFinished)


async def test_a_run_is_found_again_as_it_was_seen(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))
    app = workspace.app()

    result, _ = await run(app, "one")

    record = get_run(app, "last")
    assert record.result == result
    assert (record.summary.status, record.summary.finished, record.summary.agents) == ("completed", 1, 1)
    assert [s.run_id for s in list_runs(app)] == [result.run_id]


async def test_a_run_without_record_leaves_nothing(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))
    app = workspace.app()

    result, _ = await run(app, "one", record=False)

    assert (result.status, result.recorded) == ("completed", False)
    assert not app.paths.state.exists()
    assert list_runs(app) == ()


async def test_transient_failures_are_tried_again_and_shown(workspace: Workspace) -> None:
    faults = [Fault(Status(529), times=1), Fault(Status(429, retry_after_s=0.01), times=1), Fault(Cut(2), times=1)]
    async with Sandbox(faults=faults) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("one", local("a"))

        result, seen = await run(workspace.app(), "one", stream=True)

    codes = [e.error.code for e in seen.events if isinstance(e, ModelRetrying)]
    assert codes == ["provider_overloaded", "rate_limited", "reply_cut"]
    assert (result.status, result["a"].attempts) == ("completed", 4)
    assert sandbox.request_count == 4


async def test_a_failed_agent_falls_to_the_profile_that_its_author_named(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Garbage(), model="broken")]) as sandbox:
        workspace.settings(
            on_sandbox(
                sandbox,
                model_profiles={
                    "first": {
                        "provider": "openai-compatible",
                        "model": "broken",
                        "fallback_model_profile": "second",
                    },
                    "second": {"provider": "openai-compatible", "model": "sound"},
                },
            )
        )
        workspace.ensemble("one", {"name": "a", "model_profile": "first"})

        result, seen = await run(workspace.app(), "one")

    [switched] = [e for e in seen.events if isinstance(e, ModelSwitched)]
    assert (switched.model, switched.error.code) == ("sound", "reply_unreadable")
    assert result["a"].status == "completed"


async def test_the_sandbox_serves_every_dialect_through_its_provider(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"ANTHROPIC_API_KEY": "k1", "OPENAI_API_KEY": "k2", "GEMINI_API_KEY": "k3"}
    workspace.settings(on_sandbox(sandbox))
    providers = ["anthropic-api", "openai", "google-gemini", "openai-compatible"]
    workspace.ensemble(
        "all", *({"name": p, "provider": p, "model": "m", "system_prompt": f"On {p}."} for p in providers)
    )

    result, _ = await run(workspace.app(), "all")

    assert result.status == "completed"
    assert {r.dialect: r.system_prompt for r in sandbox.requests} == {
        "anthropic": "On anthropic-api.",
        "openai-responses": "On openai.",
        "gemini": "On google-gemini.",
        "openai-chat": "On openai-compatible.",
    }
    assert {name: str(a.billing) for name, a in ((r.name, r.access) for r in result.agents) if a} == {
        "anthropic-api": "metered",
        "openai": "metered",
        "google-gemini": "metered",
        "openai-compatible": "local",
    }


@pytest.mark.parametrize(("task", "said"), [("", "empty"), (" \n", "empty"), ("x" * 11_000_000, "10 MB")])
async def test_a_task_that_no_model_can_take_is_refused_before_anything_is_sent(
    workspace: Workspace, sandbox: Sandbox, task: str, said: str
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))

    with pytest.raises(InputError, match=said):
        await run(workspace.app(), "one", task)

    assert sandbox.request_count == 0


async def test_five_hundred_agents_at_once_all_succeed_by_default(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("crowd", *(local(f"a{i}") for i in range(500)))

    result, _ = await run(workspace.app(), "crowd")

    assert result.status == "completed"
    assert result.total.calls == sandbox.request_count == 500


# --- interruption and resuming ------------------------------------------------------------------------------


async def test_an_interrupted_run_goes_on_and_asks_only_who_had_not_finished(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Hang(), contains="You are slow.", times=1)]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("panel", local("quick"), local("slow"), local("chair", depends_on=["quick", "slow"]))
        app = workspace.app()
        finished = asyncio.Event()

        def show(event: object) -> None:
            if isinstance(event, AgentFinished):
                finished.set()

        running = asyncio.create_task(
            run_ensemble(app, find_ensemble(app, "panel"), RunOptions("the task"), RunListener(show))
        )
        await asyncio.wait_for(finished.wait(), 10)
        await sandbox.wait_for_requests(2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        [summary] = list_runs(app)
        assert (summary.status, summary.finished) == ("interrupted", 1)

        events: list[object] = []
        result = await resume_run(app, ResumeOptions(), RunListener(events.append))

        roles = [r.system_prompt for r in sandbox.requests]
    assert result.status == "completed"
    assert result.run_id == summary.run_id
    assert roles.count("You are quick.") == 1
    assert roles.count("You are slow.") == 2
    assert roles.count("You are chair.") == 1
    assert list_runs(app)[0].status == "completed"


async def test_a_changed_yaml_does_not_change_a_run_under_way(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Status(400), contains="You are b.", times=1)]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("pair", local("a"), local("b"))
        app = workspace.app()
        first, _ = await run(app, "pair")
        workspace.ensemble("pair", local("another"))

        result = await resume_run(app, ResumeOptions(first.run_id))

    assert first.status == "completed_with_errors"
    assert (result.status, [a.name for a in result.agents]) == ("completed", ["a", "b"])
    assert sandbox.request_count == 3


@pytest.mark.parametrize("change", ["changed", "broken", "same"])
async def test_a_resumed_run_says_that_its_file_has_changed(workspace: Workspace, change: str) -> None:
    async with Sandbox(faults=[Fault(Status(400), times=1)]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("one", local("a"))
        await run(workspace.app(), "one", "Invest?")
        if change == "changed":
            workspace.ensemble("one", local("b"))
        elif change == "broken":
            workspace.write(".config/llm-orc/ensembles/one.yaml", "name: one\nagents: {")
        said: list[str] = []

        result = await resume_run(workspace.app(), ResumeOptions("last"), RunListener(waiting=said.append))

    assert result.status == "completed"
    assert [agent.name for agent in result.agents] == ["a"]
    assert ["has changed since this run began" in words for words in said] == ([] if change == "same" else [True])


async def test_resuming_a_completed_run_shows_it_again_and_asks_nobody(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"))
    app = workspace.app()
    first, _ = await run(app, "one")

    result = await resume_run(app, ResumeOptions("last"))

    assert result == first
    assert sandbox.request_count == 1


async def test_a_run_that_is_going_on_is_not_resumed_a_second_time(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Hang())]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("one", local("a"))
        app = workspace.app()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(_swallow_cancellation(run(app, "one")))
            await sandbox.wait_for_requests(1)
            [summary] = list_runs(app)
            assert summary.status == "running"

            with pytest.raises(RunNotFound, match="no unfinished run"):
                await resume_run(app, ResumeOptions())
            with pytest.raises(RunNotResumable, match="going on in another process"):
                await resume_run(app, ResumeOptions(summary.run_id))

            running.cancel()


async def _swallow_cancellation(run: object) -> None:
    try:
        await run  # type: ignore[misc]
    except asyncio.CancelledError:
        return


async def test_a_time_limit_ends_the_run_and_keeps_what_there_is(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Delay(60), contains="You are slow.")]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        workspace.ensemble("pair", local("quick"), local("slow"))

        result, _ = await run(workspace.app(), "pair", timeout_s=0.5)

    assert result["quick"].status == "completed"
    assert result.error is not None
    assert (result.error.code, result.status) == ("run_timed_out", "completed_with_errors")
    assert result.exit_code == 1


async def test_runs_older_than_the_user_keeps_are_forgotten(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox, runs={"keep_days": 7}))
    workspace.ensemble("one", local("a"))
    app = workspace.app()
    old = [(await run(app, "one"))[0].run_id for _ in range(4)]
    for days, run_id in zip((12, 11, 2, 1), old, strict=True):
        with sqlite3.connect(app.paths.runs_database) as connection:
            moved = "UPDATE runs SET started_at = started_at - ? * 86400 WHERE run_id = ?"
            connection.execute(moved, (days, run_id))
        connection.close()
    with sqlite3.connect(app.paths.runs_database) as connection:
        connection.execute("UPDATE runs SET status = 'interrupted' WHERE run_id = ?", (old[1],))
    connection.close()

    new, _ = await run(app, "one")

    assert {s.run_id for s in list_runs(app)} == {*old[1:], new.run_id}
