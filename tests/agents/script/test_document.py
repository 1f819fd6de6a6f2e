"""What a program is told of the agents that it depends on."""

from __future__ import annotations

import json

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.references.names import Names
from llm_orc.agents.references.scope import Scope
from llm_orc.agents.script.document import document_for
from llm_orc.agents.script.work import ScriptWork
from llm_orc.agents.spec import AgentSpec


def test_an_agent_that_still_runs_has_not_failed() -> None:
    names = ("done", "out", "runs", "broken")
    scope = Scope(
        Names(names),
        "the task",
        {},
        "r",
        {"done": AgentOutput('{"x": 1}', (), {"x": 1})},
        skipped={"out": object()},
        pending={"runs"},
    )
    work = ScriptWork(argv=("cat",))

    told = json.loads(document_for(AgentSpec("a", work, depends_on=names), work, scope))["dependencies"]

    assert {name: (one["status"], one["has_errors"]) for name, one in told.items()} == {
        "done": ("completed", False),
        "out": ("skipped", False),
        "runs": ("pending", False),
        "broken": ("failed", True),
    }
    assert told["done"]["data"] == {"x": 1}
    assert told["runs"]["text"] is None
