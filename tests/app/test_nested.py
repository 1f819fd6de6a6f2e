"""Ensembles within ensembles, from Python."""

from __future__ import annotations

import pytest

from llm_orc import AgentSpec, DispatchWork, Ensemble, EnsembleWork, InputSpec, ModelWork, Runtime, run
from llm_orc.errors import EnsembleInvalid
from tests.app.conftest import Workspace

PANEL = Ensemble(
    "panel",
    (AgentSpec("lawyer", ModelWork(prompt="${inputs.facts}")), AgentSpec("judge", depends_on=("lawyer",))),
    inputs=(InputSpec("facts"),),
)


async def test_an_ensemble_of_python_runs_others_that_are_made_or_named(workspace: Workspace) -> None:
    workspace.ensemble("named", {"name": "a"})
    outer = Ensemble(
        "outer",
        (
            AgentSpec("made", EnsembleWork(PANEL.nested(), {"facts": "${task}"})),
            AgentSpec("named", EnsembleWork("named"), depends_on=("made",)),
            AgentSpec("chosen", DispatchWork("${inputs.kind}", {"one": "named", "two": PANEL.nested()})),
        ),
        inputs=(InputSpec("kind", default="one", is_required=False),),
    )

    async with Runtime(workspace.app()) as runtime:
        with pytest.raises(EnsembleInvalid) as wrong:
            await run(outer, "the task", rehearse=True, runtime=runtime)
    agents = (*outer.agents[:2], AgentSpec("chosen", DispatchWork("${inputs.kind}", {"one": "named"})))
    right = Ensemble("outer", agents, inputs=outer.inputs)
    async with Runtime(workspace.app()) as runtime:
        result = await run(right, "the task", rehearse=True, runtime=runtime)

    assert "needs the input `facts`" in str(wrong.value.problems[0])
    assert [agent.name for agent in result.agents] == [
        *("made", "made/lawyer", "made/judge", "chosen", "chosen/one/a", "named", "named/a"),
    ]
    assert result["made"].response == result["made/judge"].response


async def test_what_is_missing_is_found_before_anything_runs(workspace: Workspace) -> None:
    outer = Ensemble("outer", (AgentSpec("a", EnsembleWork("nobody")),))

    async with Runtime(workspace.app()) as runtime:
        with pytest.raises(EnsembleInvalid) as missing:
            await run(outer, "the task", rehearse=True, runtime=runtime)

    assert "agent `a`: no ensemble is called `nobody`" in str(missing.value.problems[0])
