"""Samples of which a judge chooses one, over real sockets: runs, forks, batches, and what is known before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llm_orc.agents.output import SampleCounts
from llm_orc.app.access.explain import explain_access
from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.errors import EnsembleInvalid
from tests.app.conftest import Workspace, local, run
from tests.app.runs.test_schemas import PATH, says
from tests.fakes.scripted_server import Scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server(workspace: Workspace) -> AsyncIterator[Scripted]:
    server = Scripted()
    await server.start()
    workspace.settings(
        {
            "providers": {"openai-compatible": {"base_url": server.url}},
            "model_profiles": {"strong": {"provider": "openai-compatible", "model": "large"}},
        }
    )
    try:
        yield server
    finally:
        await server.stop()


def chooses(best: int) -> str:
    return json.dumps({"why": "w", "best": best})


async def test_another_model_judges_and_is_paid_for_and_shown_by_itself(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says("one"), says("two"), says(chooses(2)))
    workspace.ensemble("e", local("a", samples=2, vote={"choose": "strong", "by": "The longer one."}))

    plan = await explain_access(workspace.app(), find_ensemble(workspace.app(), "e"))
    result, _ = await run(workspace.app(), "e", "Which?")

    assert [(agent.agent, agent.model) for agent in plan.agents] == [("a", "m"), ("a/judge", "large")]
    assert (result.answer, result["a"].samples, result["a/judge"].data) == (
        "two" if result["a[1]"].response == "two" else "one",
        SampleCounts(2, 1),
        {"why": "w", "best": 2},
    )
    assert result.total.calls == 3
    asked = server.asked[2].json
    assert asked["model"] == "large"
    assert asked["messages"][0]["content"].endswith("The best answer is: The longer one.")


async def test_a_fork_from_a_sample_asks_the_judge_again_and_one_from_the_judge_only_it(
    workspace: Workspace, server: Scripted
) -> None:
    server.on(PATH, says("one"), says("two"), says(chooses(1)), says("three"), says(chooses(1)), says(chooses(2)))
    workspace.ensemble("e", local("a", samples=2, vote="choose"), max_concurrent=1)
    app = workspace.app()
    first, _ = await run(app, "e", "Which?")

    second = await fork_run(app, origin_of(app, first.run_id), ForkOptions(("a[1]",)))
    third = await fork_run(app, origin_of(app, second.run_id), ForkOptions(("a/judge",)))

    assert (second["a[1]"].response, len(server.asked)) == ("three", 6)
    assert (third["a/judge"].data, third["a"].response) == ({"why": "w", "best": 2}, "three")


def test_the_profile_of_a_judge_has_to_be_there(workspace: Workspace, server: Scripted) -> None:
    workspace.ensemble("e", local("a", samples=2, vote={"choose": "strnog"}))

    with pytest.raises(EnsembleInvalid) as raised:
        find_ensemble(workspace.app(), "e")

    (problem,) = raised.value.problems
    assert problem.message == "agent `a` uses the model profile `strnog`, which does not exist"
    assert problem.hint == "Did you mean `strong`?"
