"""References over a whole run: what is sent, what is kept for a later attempt, and what earlier releases meant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelWork
from llm_orc.app.history.runs import get_run
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import InputError
from llm_orc.runs.recipe import Recipe, decode_recipe, encode_recipe
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import on_sandbox, run

if TYPE_CHECKING:
    from tests.app.conftest import Workspace

LOCAL = {"provider": "openai-compatible", "model": "m"}


def panel(workspace: Workspace) -> None:
    workspace.ensemble(
        "panel",
        {"name": "writer", **LOCAL, "prompt": "In ${inputs.language}: ${task}"},
        {"name": "judge", **LOCAL, "system_prompt": "Judge run ${run.id}. $${x}", "prompt": "Grade:\n${writer}\n"},
        inputs={"language": {"default": "English"}},
    )


async def test_what_is_sent_has_the_values_in_it(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    panel(workspace)

    result, _ = await run(workspace.app(), "panel", "Say hi")

    writer, judge = sandbox.requests
    assert writer.messages[-1].content == "In English: Say hi"
    assert judge.system_prompt == f"Judge run {result.run_id}. ${{x}}"
    asked = judge.messages[-1].content
    assert result["writer"].response is not None
    assert f"of='answer' agent='writer'>\n{result['writer'].response}\n</part-" in asked
    assert result.answered_by == "judge"


async def test_a_run_that_goes_on_has_its_own_inputs(workspace: Workspace) -> None:
    async with Sandbox(faults=[Fault(Status(400), contains="Grade", times=1)]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        panel(workspace)
        app = workspace.app()
        ensemble = app.library.find("panel", app.environment.cwd).ensemble
        failed = await run_ensemble(app, ensemble, RunOptions("Hi", inputs={"language": "Deutsch"}))

        resumed = await resume_run(app, ResumeOptions(failed.run_id))

    assert failed.status == "completed_with_errors"
    assert (resumed.status, resumed.inputs) == ("completed", {"language": "Deutsch"})
    assert get_run(app, "last").recipe.inputs == {"language": "Deutsch"}


async def test_a_missing_input_is_said_before_anything_is_sent(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", {"name": "a", **LOCAL, "prompt": "${inputs.x}"}, inputs={"x": "string"}, task="none")

    with pytest.raises(InputError, match="needs the input `x`"):
        await run(workspace.app(), "one", "")

    assert sandbox.requests == []


async def test_a_field_that_is_missing_fails_the_agent_alone(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble(
        "one", {"name": "a", **LOCAL}, {"name": "b", **LOCAL, "prompt": "${a.score}"}, {"name": "c", **LOCAL}
    )

    result, _ = await run(workspace.app(), "one")

    assert [agent.status for agent in result.agents] == ["completed", "completed", "failed"]
    error = result["b"].error
    assert error is not None
    assert (error.code, error.message) == (
        "reference_without_value",
        "`${a.score}` has no value: the answer is not JSON",
    )


def test_a_prompt_of_an_earlier_release_is_what_it_was() -> None:
    ensemble = Ensemble("e", (AgentSpec("a", ModelWork(system_prompt="echo ${HOME}")), AgentSpec("b")))
    recipe = Recipe(ensemble, "t", {})
    stored = json.loads(encode_recipe(recipe))
    del stored["inputs"]

    earlier, now = decode_recipe(msgspec.json.encode(stored)), decode_recipe(encode_recipe(recipe))

    assert now == recipe
    escaped = AgentSpec("a", ModelWork(system_prompt="echo $${HOME}"))
    assert earlier == replace(recipe, ensemble=replace(ensemble, agents=(escaped, AgentSpec("b"))))
