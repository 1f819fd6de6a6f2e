"""A plan over HTTP that is used up, at the head of an answer or in the middle of one: waited for, and never paid for."""

from __future__ import annotations

import pytest

from llm_orc.app.runs.runtime import Runtime
from llm_orc.engine.events import PlanWaitEnded, PlanWaitStarted
from llm_orc.providers.limits.plans import FIRST_PAUSE_S, Plans
from tests.app.access.test_plan_provider import Plan, failing
from tests.app.conftest import Workspace, run_on
from tests.fakes.clocks import SetTime

AGENT = {"name": "a", "model_profile": "mine", "system_prompt": "You judge."}


@pytest.mark.parametrize("tokens", [None, 3])
async def test_a_plan_that_tells_no_reset_is_looked_at_until_it_answers(
    workspace: Workspace, tokens: int | None
) -> None:
    time = SetTime()
    began = time.now
    async with Plan(workspace, failing("plan_limit", tokens, times=2)) as plan:
        profiles = {
            "mine": {"provider": "mine", "model": "m", "fallback_model_profile": "paid"},
            "paid": {"provider": "anthropic-api", "model": "claude-m"},
        }
        for name, profile in profiles.items():
            workspace.write(f".config/llm-orc/profiles/{name}.yaml", {"model_profiles": {name: profile}})
        workspace.environ["ANTHROPIC_API_KEY"] = "sk-metered-1"
        workspace.ensemble("one", AGENT)
        app = workspace.app()
        async with Runtime(app) as runtime:
            runtime.plans = Plans(time, time.sleep)
            result, seen = await run_on(
                app, "one", "the task", runtime, wait_for_plan=True, allow_metered=True, stream=True
            )

    waits = [event for event in seen.events if isinstance(event, PlanWaitStarted)]
    assert result.status == "completed"
    assert result.by_billing.keys() == {"subscription"}
    assert [request.headers.get("x-api-key") for request in plan.sandbox.requests] == [None] * 3
    assert [wait.is_told for wait in waits] == [False, False]
    assert [wait.until - began for wait in waits] == [FIRST_PAUSE_S, 3 * FIRST_PAUSE_S]
    assert sum(isinstance(event, PlanWaitEnded) for event in seen.events) == 2
    assert result["a"].waits_until is None
