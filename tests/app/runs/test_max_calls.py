"""A limit on how many requests a run may send, as its provider counts them."""

from __future__ import annotations

import pytest

from llm_orc.app.runs.request import RunLimits
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run


@pytest.fixture
def place(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    workspace.settings(on_sandbox(sandbox))
    return workspace


async def test_no_more_requests_are_sent_than_the_run_may_and_resume_goes_on_with_more(
    place: Workspace, sandbox: Sandbox
) -> None:
    place.ensemble("five", *(local(f"a{n}") for n in range(5)))

    result, _ = await run(place.app(), "five", max_calls=3)

    assert sandbox.request_count == 3
    assert sorted(agent.status for agent in result.agents) == ["completed"] * 3 + ["failed"] * 2
    assert {agent.error.code for agent in result.agents if agent.error} == {"budget_exceeded"}
    again = await resume_run(place.app(), ResumeOptions(run="last", limits=RunLimits(max_calls=5)))
    assert again.status == "completed"
    assert sandbox.request_count == 5


async def test_a_retry_is_a_request_too(workspace: Workspace) -> None:
    workspace.ensemble("one", local("a"))
    async with Sandbox(faults=[Fault(Status(503))]) as sandbox:
        workspace.settings(on_sandbox(sandbox))

        result, _ = await run(workspace.app(), "one", max_calls=2)

    assert result.status == "failed"
    assert sandbox.request_count == 2


@pytest.mark.parametrize(("of_ensemble", "asked", "sent"), [(2, None, 2), (2, 4, 2), (4, 2, 2)])
async def test_the_lower_limit_of_file_and_person_counts(
    place: Workspace, sandbox: Sandbox, of_ensemble: int, asked: int | None, sent: int
) -> None:
    place.ensemble("five", *(local(f"a{n}") for n in range(5)), max_calls=of_ensemble)

    await run(place.app(), "five", max_calls=asked)

    assert sandbox.request_count == sent
