"""The programs that packaged ensembles run: what they read, and what they leave out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llm_orc.ensembles.packaged.scripts.evidence import stands_in
from llm_orc.ensembles.packaged.scripts.read_folder import MOST_CHARACTERS, MOST_FILES
from llm_orc.ensembles.packaged.scripts.table import safe
from llm_orc.ensembles.surroundings import PACKAGED

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, patterns: str = "*") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, PACKAGED / "scripts" / "read_folder.py", folder, patterns],
        capture_output=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_folder_is_read_without_what_is_hidden_secret_or_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    (tmp_path / "outside.txt").write_text("outside")
    for name, content in {
        "a.md": "\ufeffä".encode(), "sub/b.txt": b"b", "long.txt": b"x" * (MOST_CHARACTERS + 1), "empty.txt": b" \n",
        ".env": b"s", ".git/config": b"s", "server.pem": b"s", "latin.txt": b"\xe4 \xe4", "x.bin": b"\0",
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    if os.name != "nt":
        (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
        (folder / "up").symlink_to(tmp_path)
        os.mkfifo(folder / "pipe")

    answer = read(folder)

    assert [(file["path"], len(file["text"]), "note" in file) for file in answer["files"]] == [
        ("a.md", 1, False),
        ("long.txt", MOST_CHARACTERS, True),
        ("sub/b.txt", 1, False),
    ]
    left_out = ["latin.txt: no text in UTF-8", "server.pem: may be a secret", "x.bin: no text"]
    if os.name != "nt":
        left_out += ["link.txt: a link", "pipe: no regular file"]
    assert sorted(answer["left_out"]) == sorted(left_out)


def test_what_is_beyond_the_bounds_is_named(tmp_path: Path) -> None:
    for i in range(MOST_FILES + 2):
        (tmp_path / f"{i:03}.txt").write_text("x")

    answer = read(tmp_path)

    assert (len(answer["files"]), [one.partition(":")[0] for one in answer["left_out"]]) == (
        MOST_FILES,
        ["100.txt", "101.txt"],
    )


def test_a_folder_without_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        read(tmp_path, "*.md")

    assert b"no text file to read" in failed.value.stderr


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("return total // people", True),
        ("+    return total // people", True),
        ("def share(total, people):\n    return total // people", True),
        ("-    return total / people\n+    return total // people", True),
        ("return total % people", False),
        ("+", False),
        ("", False),
    ],
)
def test_a_quote_stands_in_a_diff_with_and_without_its_marks(quote: str, *, stands: bool) -> None:
    diff = " def share(total, people):\n-    return total / people\n+    return total // people\n"
    assert stands_in(quote, diff) is stands


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("=1+1", "'=1+1"), ("\t@x", "'@x"), ("-3.50", "-3.50"), ("+49 30 1234", "+49 30 1234"), ("a\nb", "a b")],
)
def test_no_cell_is_a_formula(cell: str, shown: str) -> None:
    assert safe(cell) == shown
