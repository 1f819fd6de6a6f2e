"""Which programs may be started here: a project's only if it is trusted, and of a store's recipes only one's own."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from llm_orc.agents.script.work import ScriptWork
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.projects.programs import refuse_foreign_programs, refuse_programs
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.errors import NotTrusted
from tests.app.conftest import Workspace

LIST: dict[str, object] = {"name": "list", "script": ["ls", "-l"]}


def trust(workspace: Workspace) -> None:
    app = workspace.app()
    trust_directory(app, workspace.project, view_trust(app, workspace.project))


@pytest.fixture(autouse=True)
def path(workspace: Workspace) -> None:
    workspace.environ["PATH"] = "/usr/bin:/bin"


def test_a_worker_runs_what_its_own_file_says_and_nothing_else(workspace: Workspace) -> None:
    workspace.ensemble("one", LIST)
    app = workspace.app()
    ours = find_ensemble(app, "one")
    theirs = replace(ours, agents=(replace(ours.agents[0], work=ScriptWork(argv=("rm", "-rf", "x"))),))

    refuse_foreign_programs(app, ours)
    with pytest.raises(NotTrusted, match=r"would start `rm -rf x` \(agent `list`\)"):
        refuse_foreign_programs(app, theirs)


def test_a_worker_does_not_take_an_untrusted_projects_file_for_its_own(workspace: Workspace) -> None:
    workspace.cloned("one", LIST)
    theirs = find_ensemble(workspace.app(), "one")

    with pytest.raises(NotTrusted, match="would start `ls -l`"):
        refuse_foreign_programs(workspace.app(), theirs)
    trust(workspace)

    refuse_foreign_programs(workspace.app(), theirs)


def test_a_clones_ensemble_within_ones_own_starts_nothing(workspace: Workspace) -> None:
    file = workspace.cloned("theirs", LIST)
    workspace.ensemble(
        "outer", {"name": "inner", "ensemble": os.path.relpath(file, workspace.config / "ensembles")}
    )

    with pytest.raises(NotTrusted) as refused:
        refuse_programs(workspace.app(), find_ensemble(workspace.app(), "outer"))
    trust(workspace)

    assert "agent `inner/list`" in refused.value.message
    assert file.name in refused.value.message
    refuse_programs(workspace.app(), find_ensemble(workspace.app(), "outer"))


def test_an_untrusted_file_that_runs_ones_own_ensemble_starts_nothing(workspace: Workspace) -> None:
    workspace.ensemble("mine", LIST)
    workspace.cloned("theirs", {"name": "inner", "ensemble": "mine"})

    with pytest.raises(NotTrusted, match=r"agent `inner/list`"):
        refuse_programs(workspace.app(), find_ensemble(workspace.app(), "theirs"))
