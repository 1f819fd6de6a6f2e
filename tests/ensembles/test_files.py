"""Inputs that are files, and `attachments`: what may be named, and what is a problem of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.agents.spec import Source
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid
from tests.app.conftest import Workspace, local

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = "inputs: {report: file, pages: {type: files, default: []}, n: integer}\n"


def problems_of(agents: str, source: Source | None = None) -> list[str]:
    try:
        parse_ensemble_text(f"name: one\n{INPUTS}agents:\n{agents}", source)
    except EnsembleInvalid as e:
        return [problem.message for problem in e.problems]
    return []


@pytest.mark.parametrize(
    "agent",
    [
        '{name: a, attachments: ["${inputs.report}", "${inputs.pages}", "${inputs.pages.0}", "${task.files}"]}',
        '{name: a, attachments: "${inputs.report}"}',
        "{name: a, attachments: []}",
        '{name: a, fan_out: {over: "${inputs.pages}"}, attachments: "${item}", prompt: "${item.name} ${item}"}',
        '{name: a, fan_out: {over: ["${inputs.report}"], as: page}, attachments: "${page}", prompt: "${page}"}',
        '{name: a, prompt: "${inputs.report} ${inputs.report.text} ${inputs.pages.1.size} ${task.files}"}',
        '{name: a, script: [wc, "${inputs.report.path}"], env: {PAGE: "${inputs.pages.0.path}"}}',
        '{name: a, when: "${inputs.report.size} < 1000"}',
    ],
)
def test_files_may_be_named(agent: str) -> None:
    assert problems_of(f"  - {agent}\n") == []


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ('{name: b, attachments: "${inputs.n}"}', "agent `b`: `${inputs.n}` is no file"),
        (
            '{name: b, attachments: "the ${inputs.report}"}',
            "agent `b`: `${inputs.report}` is a file, and there is text beside it",
        ),
        (
            '{name: b, attachments: "${a.file}"}',
            "agent `b`: `${a.file}` is what a model or a tool has said, and no such answer names a file",
        ),
        (
            '{name: b, fan_out: {over: "${a.files}"}, attachments: "${item}", prompt: x}',
            "agent `b`: `${item}` is what a model or a tool has said, and no such answer names a file",
        ),
        (
            '{name: b, prompt: "${inputs.report.pages}"}',
            "agent `b`: `${inputs.report.pages}` names `pages` of a file",
        ),
        (
            '{name: b, prompt: "${inputs.pages.text}"}',
            "agent `b`: `${inputs.pages.text}` names `text` of a list of files",
        ),
        (
            '{name: b, prompt: "${inputs.report.path}"}',
            "agent `b`: `${inputs.report.path}` is where programs find a file, and this is read by a model",
        ),
        (
            '{name: b, fan_out: {over: "${inputs.report}"}, prompt: x}',
            "agent `b`: `${inputs.report}` is one file, and `over` needs a list (`files`)",
        ),
        (
            "{name: b, script: [cat], attachments: []}",
            "agent `b` is of the kind `script`, to which no files are attached",
        ),
    ],
)
def test_what_is_no_file_of_the_run_is_a_problem(agent: str, message: str) -> None:
    assert problems_of(f"  - {{name: a, output_format: json}}\n  - {agent}\n") == [message]


def test_a_path_is_that_of_a_file_below_the_ensembles_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ensembles"
    (folder / "style").mkdir(parents=True)
    (folder / "style" / "guide.md").write_text("Be brief.")
    (folder / ".env").write_text("KEY=1")
    (tmp_path / "secret.txt").write_text("x")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "to-env.txt").symlink_to(folder / ".env")
    source = Source("user", str(folder / "one.yaml"))

    found = parse_ensemble_text(
        "name: one\nagents: [{name: a, attachments: style/guide.md}]", source
    ).ensemble.agents[0]
    assert found.attachments == (str(folder / "style" / "guide.md"),)

    for path, why in {
        "../secret.txt": "`../secret.txt` is not below the folder of the ensemble",
        "/etc/hosts": "`/etc/hosts` is not below the folder of the ensemble",
        "C:\\\\x.txt": "`C:\\x.txt` is not below the folder of the ensemble",
        ".env": "`.env` is a hidden file, or in a hidden folder",
        "link.txt": "there is no file `link.txt` below the folder of the ensemble",
        "to-env.txt": "there is no file `to-env.txt` below the folder of the ensemble",
        "style": "there is no file `style` below the folder of the ensemble",
    }.items():
        agent = f'  - {{name: a, attachments: "{path}"}}\n'
        assert problems_of(agent, source) == [f"agent `a`: {why}"], path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "user")
    workspace.project.mkdir(parents=True)
    return workspace


def test_an_ensemble_within_gets_files_by_reference_only(workspace: Workspace) -> None:
    inner = {"report": "file"}
    workspace.ensemble("inner", local("x", attachments="${inputs.report}"), inputs=inner)
    given = {"good": "${inputs.report}", "said": "${first}", "text": "the report.txt"}
    for name, value in given.items():
        nested = {"name": "n", "ensemble": "inner", "inputs": {"report": value}}
        workspace.ensemble(name, local("first"), nested, inputs=inner)

    find_ensemble(workspace.app(), "good")
    with pytest.raises(EnsembleInvalid) as said:
        find_ensemble(workspace.app(), "said")
    with pytest.raises(EnsembleInvalid) as text:
        find_ensemble(workspace.app(), "text")
    (problem,) = said.value.problems
    assert problem.message.startswith(
        "agent `n` gives an answer to `inner`, where agent `x`: `${inputs.report}` is"
    )
    assert [p.message for p in text.value.problems] == [
        "agent `n`: input `report` of ensemble `inner` must be a file, not `the report.txt`"
    ]
