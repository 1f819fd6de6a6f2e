"""A batch over a folder of files, which the store has from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.batch.test_batch import rows_of

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

SCAN = """\
name: scan
task: none
inputs: {page: file, style: {type: file, default: null}}
agents:
  - {name: a, script: [cat, "${inputs.page.path}", "-"], stdin: "${inputs.page.text} ${inputs.style}"}
"""


@pytest.mark.slow
def test_each_file_of_a_folder_is_a_row_that_can_be_asked_again_without_it(shell: Shell) -> None:
    shell.own_ensemble("scan", SCAN)
    scans = shell.cwd / "scans"
    scans.mkdir()
    for name, text in {"b.txt": "B", "a.txt": "A", ".hidden": "no", "empty.txt": ""}.items():
        (scans / name).write_text(text)
    (shell.cwd / "style.txt").write_text("S")

    done = shell.run("batch", "scan", "--inputs", "scans", "--set", "style=style.txt")
    (scans / "a.txt").unlink()
    row = shell.run("runs", "retry", "last:1", "--all")

    rows = rows_of(done.stdout)
    said = [rows[n]["results"]["a"]["response"] for n in (1, 2)]  # type: ignore[index]
    assert said == ["AA style.txt", "BB style.txt"], done.stderr
    assert "column `page`: " in str(rows[3]["error"])
    assert str(rows[3]["error"]).count("is empty") == 1
    assert "AA style.txt" in row.stdout, row.stderr
