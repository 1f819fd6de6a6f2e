"""Runs that begin anew from earlier ones: what is kept is not asked for again, nor paid for again."""

from __future__ import annotations

import msgspec
import pytest

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.script.work import ScriptWork
from llm_orc.agents.spec import AgentSpec
from llm_orc.app.batches.admin import open_batches
from llm_orc.app.batches.store import batch_store_url
from llm_orc.app.history.again import to_be_asked
from llm_orc.app.history.compare import compare_runs
from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.history.runs import RunRecord, delete_runs, get_run
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunLimits
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.wiring import App
from llm_orc.auth.access import Bill
from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.database import open_engine
from llm_orc.engine.events import AgentFinished, RecordedEvent, RunFinished, RunStarted
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import InputError, NotTrusted
from llm_orc.runs.recipe import Recipe
from llm_orc.runs.results import RunResult
from llm_orc.runs.wire import encode_event
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run


@pytest.fixture
def place(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble(
        "panel",
        local("a"),
        local("b"),
        local("chair", depends_on=["a", "b"]),
        local("clerk", depends_on=["chair"]),
    )
    return workspace


async def fork(place: Workspace, name: str, options: ForkOptions) -> RunResult:
    app = place.app()
    return await fork_run(app, origin_of(app, name), options)


async def test_a_fork_asks_an_agent_and_all_behind_it_and_keeps_the_others(
    place: Workspace, sandbox: Sandbox
) -> None:
    first, _ = await run(place.app(), "panel")

    forked = await fork(place, first.run_id, ForkOptions(asked=("chair",)))

    assert sandbox.request_count == 4 + 2
    assert forked.status == "completed"
    assert forked.forked_from == first.run_id
    assert forked.run_id != first.run_id
    assert {agent.name for agent in forked.agents if agent.is_kept} == {"a", "b"}
    assert forked["a"].response == first["a"].response
    assert forked.total.calls == 2


async def test_a_fork_is_whole_without_the_run_it_comes_from(place: Workspace) -> None:
    first, _ = await run(place.app(), "panel")
    forked = await fork(place, "last", ForkOptions(asked=("clerk",)))

    delete_runs(place.app(), [first.run_id])

    again = get_run(place.app(), forked.run_id)
    assert again.result == forked
    assert again.summary.finished == 4


async def test_a_retry_asks_only_agents_without_an_answer(workspace: Workspace) -> None:
    workspace.ensemble("pair", local("good"), local("bad", system_prompt="You fail."))
    faults = [Fault(Status(400), contains="You fail.", times=1)]
    async with Sandbox(faults=faults) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        first, _ = await run(workspace.app(), "pair")

        again = await fork(workspace, "last", ForkOptions())

        assert first["bad"].status == "failed"
        assert again.status == "completed"
        assert sandbox.request_count == 3
        assert get_run(workspace.app(), first.run_id).result["bad"].status == "failed"


async def test_what_is_kept_is_not_counted_against_the_new_runs_limits(place: Workspace, sandbox: Sandbox) -> None:
    place.environ = {"ANTHROPIC_API_KEY": KEY}
    paid = {"provider": "anthropic-api", "model": "claude-sonnet-4-5", "max_tokens": 1000}
    place.ensemble("paid", {"name": "a", **paid}, {"name": "b", "depends_on": ["a"], **paid})
    await run(place.app(), "paid")

    forked = await fork(place, "last", ForkOptions(asked=("b",), limits=RunLimits(max_cost_usd=0.05, max_calls=1)))

    assert forked.status == "completed"
    assert forked.total.cost_usd == forked["b"].cost_usd
    assert get_run(place.app(), "last").summary.cost_usd == forked["b"].cost_usd


async def test_everything_can_be_asked_again(place: Workspace, sandbox: Sandbox) -> None:
    await run(place.app(), "panel")

    again = await fork(place, "last", ForkOptions(everything=True))

    assert sandbox.request_count == 8
    assert not any(agent.is_kept for agent in again.agents)


async def test_an_agent_that_is_none_is_named_with_the_nearest(place: Workspace) -> None:
    await run(place.app(), "panel")
    recipe = get_run(place.app(), "last").recipe

    with pytest.raises(InputError, match="no agent `chiar`") as caught:
        to_be_asked(recipe, ["chiar"])

    assert caught.value.hint == "Did you mean `chair`?"


async def test_a_difference_is_found_in_inputs_counts_and_roles_of_agents_within_others(place: Workspace) -> None:
    async def recorded(role: str, parts: list[int], most: int) -> RunRecord:
        place.ensemble("inner", local("writer", system_prompt=role, prompt=f"{role}: ${{task}}"))
        place.ensemble(
            "outer",
            {"name": "nested", "ensemble": "inner"},
            local("each", fan_out={"over": "${inputs.parts}"}),
            local("often", samples=most),
            inputs={"parts": {"type": "array"}, "same": {"type": "string", "default": "x"}},
        )
        app = place.app()
        await run_ensemble(app, find_ensemble(app, "outer"), RunOptions("t", inputs={"parts": parts}))
        return get_run(app, "last")

    compared = compare_runs(await recorded("A poet", [1], 2), await recorded("A critic", [1, 2], 5))

    agents = {agent.agent: {d.what: (d.left, d.right) for d in agent.differences} for agent in compared.agents}
    assert [(d.what, d.left, d.right) for d in compared.differences] == [("inputs.parts", "[1]", "[1, 2]")]
    assert agents["nested/writer"]["system prompt"] == ("A poet", "A critic")
    assert agents["nested/writer"]["prompt"] == ("A poet: ${task}", "A critic: ${task}")
    assert agents["each"]["items"] == ("1 (0 failed)", "2 (0 failed)")
    assert agents["often"]["samples"] == ("2 (2 agree)", "3 (3 agree)")


async def test_a_run_is_the_same_as_itself_and_a_difference_is_one_on_both_sides(place: Workspace) -> None:
    await run(place.app(), "panel", task="the first task")
    one = get_run(place.app(), "last")
    await run(place.app(), "panel", task="the second task")
    other = get_run(place.app(), "last")

    same, there, back = compare_runs(one, one), compare_runs(one, other), compare_runs(other, one)

    assert same.same_answers
    assert not same.differences
    assert not there.same_answers
    assert [(d.what, d.left, d.right) for d in there.differences] == [
        (d.what, d.right, d.left) for d in back.differences
    ]
    assert there.differences[0].what == "task"


def test_a_fork_of_a_row_of_others_starts_no_program_of_theirs(workspace: Workspace) -> None:
    """Whoever can write to a store that is not one's own could have written the row."""
    app, elsewhere = workspace.app(), str(workspace.root / "theirs.sqlite")
    recipe = Recipe(
        Ensemble("e", (AgentSpec("a", ScriptWork(argv=("rm", "-rf", "x"))),)), "", {}, allow_metered=True
    )
    for store in (None, elsewhere):
        store_a_row(app, recipe, store)

    with pytest.raises(NotTrusted, match=r"would start `rm -rf x` \(agent `a`\)"):
        origin_of(app, "b1:1", elsewhere)

    assert origin_of(app, "b1:1").recipe.allow_metered


def test_a_fork_of_a_row_of_others_agrees_to_no_costs(workspace: Workspace) -> None:
    app, elsewhere = workspace.app(), str(workspace.root / "theirs.sqlite")
    recipe = Recipe(
        Ensemble("e", (AgentSpec("a"),)),
        "",
        {"a": (ModelChoice("openai", "m", "ensemble"),)},
        allow_metered=True,
        plans=("mine",),
        agreed=(Bill("openai", "m", "api_key", "metered", "key", "https://api.example"),),
    )
    store_a_row(app, recipe, elsewhere)

    taken = origin_of(app, "b1:1", elsewhere).recipe

    assert (taken.allow_metered, taken.plans, taken.agreed) == (False, (), ())


def store_a_row(app: App, recipe: Recipe, store: str | None) -> None:
    """Store batch `b1` with one row, which has ended."""
    open_engine(batch_store_url(app, store)).dispose()
    events: tuple[RecordedEvent, ...] = (
        RunStarted(0.0, "b1:1", "e", ("a",), "task"),
        AgentFinished(1.0, AgentPath("a"), 1.0, AgentOutput("done", ())),
        RunFinished(1.0, "completed", 1.0),
    )
    with open_batches(app, store) as opened:
        assert opened is not None
        batches = opened.batches
        batches.submit(NewBatch("b1", recipe, "", 0.0, 1), [NewRow(1, 1, "task")], lambda *_: None, 0.0)
        batches.end_row(
            batches.row("b1", 1),
            1.0,
            [msgspec.json.encode((kind, msgspec.Raw(body))) for kind, body in map(encode_event, events)],
            lambda *_: None,
        )
