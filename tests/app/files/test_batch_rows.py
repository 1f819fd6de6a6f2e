"""Columns of files: paths relative to the table, and what can't be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.app.batches.inputs import read_inputs
from llm_orc.app.batches.plan import prepare_batch
from llm_orc.app.batches.request import BatchOptions
from llm_orc.app.files.rows import input_of_folder
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.errors import InputError
from tests.app.conftest import Workspace, local

if TYPE_CHECKING:
    from llm_orc.app.batches.plan import Submission

INPUTS = {"page": "file", "more": {"type": "files", "default": []}}


def prepared(workspace: Workspace, inputs: str) -> Submission:
    workspace.ensemble(
        "scan", local("a", attachments="${inputs.page}", prompt="Read it."), inputs=INPUTS, task="none"
    )
    app = workspace.app()
    ensemble = find_ensemble(app, "scan")
    found = read_inputs(inputs, files_as=input_of_folder(ensemble, {}))
    return prepare_batch(app, ensemble, found, BatchOptions(inputs))


def test_a_column_has_paths_relative_to_the_table(workspace: Workspace) -> None:
    workspace.write("data/a.txt", "A")
    workspace.write("data/more/b.txt", "B")
    lines = ['{"page": "a.txt", "more": "more"}', '{"page": "no.txt"}', '{"page": ["a.txt"]}', '{"page": ""}']
    forged = '{"page": {"file": {"name": "a", "type": "text/plain", "size": 1, "sha256": "' + "0" * 64 + '"}}}'
    table = workspace.write("data/in.jsonl", "\n".join([*lines, forged]))

    submission = prepared(workspace, str(table))

    first, *others = submission.rows
    assert first.fields is not None
    assert (first.error, first.fields["page"]["file"]["name"]) == (None, "a.txt")  # type: ignore[index,call-overload]
    assert [row.error for row in others] == [
        f"line 2: column `page`: can't read `{workspace.root}/data/no.txt`: No such file or directory",
        "line 3: column `page` must be the path of a file",
        "line 4: ensemble `scan` needs the input `page`",
        "line 5: column `page` must be the path of a file",
    ]
    assert sorted(read() for read in submission.contents.values()) == [b"A", b"B"]


def test_the_same_files_are_the_same_batch_and_changed_ones_another(workspace: Workspace) -> None:
    page = workspace.write("scans/a.txt", "A")
    first = prepared(workspace, str(workspace.root / "scans"))
    again = prepared(workspace, str(workspace.root / "scans"))
    page.write_text("B")
    changed = prepared(workspace, str(workspace.root / "scans"))

    assert [row.label for row in first.rows] == ["a.txt"]
    assert first.batch_id == again.batch_id != changed.batch_id
    with pytest.raises(InputError, match="has changed while the batch was planned"):
        next(iter(first.contents.values()))()
