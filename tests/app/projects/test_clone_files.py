"""Whose word a file is by where it is: a clone's in a project or a checkout, however its path is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llm_orc.app.projects.trust import view_trust
from llm_orc.errors import SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, run
from tests.app.projects.clones import PAID, refused, trust


def as_path_in_the_project(workspace: Workspace) -> str:
    return str(workspace.write("work/project/panel.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]}))


def by_a_way_round(workspace: Workspace) -> str:
    as_path_in_the_project(workspace)
    (workspace.root / "own").mkdir()
    return str(workspace.root / "own" / ".." / "work" / "project" / "panel.yaml")


def by_a_link(workspace: Workspace) -> str:
    link = workspace.root / "mine.yaml"
    link.symlink_to(as_path_in_the_project(workspace))
    return str(link)


def in_a_checkout(workspace: Workspace) -> str:
    workspace.write("src/repository/.git/HEAD", "ref: refs/heads/main\n")
    return str(workspace.write("src/repository/a/b/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]}))


def in_a_submodule_of_the_users_folder(workspace: Workspace) -> str:
    workspace.write("src/module/.git", "gitdir: ../.git/modules/module\n")
    return str(workspace.write("src/module/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]}))


@pytest.mark.parametrize(
    "place",
    [
        as_path_in_the_project,
        by_a_way_round,
        by_a_link,
        in_a_checkout,
        in_a_submodule_of_the_users_folder,
    ],
)
async def test_a_file_in_a_project_or_a_checkout_is_not_the_users_by_being_typed(
    clone: Workspace, sandbox: Sandbox, place: Callable[[Workspace], str]
) -> None:
    (clone.project / ".llm-orc").mkdir()
    path = place(clone)

    error = await refused(clone, sandbox, path)

    assert "llm-orc trust /" in str(error.hint)
    trust(clone, Path(path))
    result, _ = await run(clone.app(), path)
    assert result.by_billing.keys() == {"metered"}


def beside_no_project(workspace: Workspace) -> Path:
    return workspace.write("notes/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]})


def in_a_home_that_is_a_repository(workspace: Workspace) -> Path:
    workspace.write(".git/HEAD", "ref: refs/heads/main\n")
    return beside_no_project(workspace)


def below_a_home_that_is_in_a_repository(workspace: Workspace) -> Path:
    (workspace.root.parent / ".git").mkdir()
    return beside_no_project(workspace)


def a_link_among_the_users_own(workspace: Workspace) -> Path:
    link = workspace.config / "ensembles" / "p.yaml"
    link.parent.mkdir(parents=True)
    link.symlink_to(in_a_checkout(workspace))
    return link


def among_the_users_own(workspace: Workspace) -> Path:
    workspace.write(".config/.git/HEAD", "ref: refs/heads/main\n")
    return workspace.write(".config/llm-orc/ensembles/p.yaml", {"name": "p", "agents": [{"name": "a", **PAID}]})


@pytest.mark.parametrize(
    "place",
    [
        beside_no_project,
        in_a_home_that_is_a_repository,
        below_a_home_that_is_in_a_repository,
        a_link_among_the_users_own,
        among_the_users_own,
    ],
)
async def test_a_file_of_the_users_own_is_their_word(clone: Workspace, place: Callable[[Workspace], Path]) -> None:
    file = place(clone)

    result, _ = await run(clone.app(), str(file))

    assert result.by_billing.keys() == {"metered"}
    with pytest.raises(SettingsError, match="is in no project"):
        view_trust(clone.app(), file)


async def test_a_link_out_of_a_project_is_the_projects_word(clone: Workspace, sandbox: Sandbox) -> None:
    own = clone.write(".config/llm-orc/ensembles/own.yaml", {"name": "own", "agents": [{"name": "a", **PAID}]})
    link = clone.project / ".llm-orc" / "ensembles" / "own.yaml"
    link.parent.mkdir(parents=True)
    link.symlink_to(own)

    await refused(clone, sandbox, "own")
