"""Where an answer may be written, and that nothing is written elsewhere."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from llm_orc.agents.saving.path import why_unusable
from llm_orc.errors import StorageError
from llm_orc.storage.below.write import check_below, write_below

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", ["a", "out/a.md", "out/b/c d.json", "résumé.md", "a..b", ".hidden", "console.md"])
def test_a_path_below_is_usable(path: str) -> None:
    assert why_unusable(path) == ""


@pytest.mark.parametrize(
    "path",
    [
        *("", "/etc/passwd", "../a", "a/../../b", "a/..", "a//b", "./a", "a/", "~/a", "~root/a"),
        *("C:\\a", "c:a", "\\\\host\\share\\a", "a\\..\\b", "//host/a", "a:stream", "a*", "a?"),
        *("NUL", "out/con.md", "Com1.txt", "lpt9", "aux .md", "a.", "a ", "out./a"),
        *(".git/hooks/pre-commit", "a/.GIT/config", ".llm-orc/config.yaml", "GIT~1/config", ".git/a"),
        *("a\nb", "a\0b", "a\u202eb", ".g\u200cit/config", "x" * 241),
    ],
)
def test_a_path_that_leads_elsewhere_on_any_system_is_not(path: str) -> None:
    assert why_unusable(path) != ""


def test_a_file_is_replaced_whole_with_its_folders_and_keeps_its_mode(tmp_path: Path) -> None:
    write_below(tmp_path, "out/b/a.md", b"one")
    file = tmp_path / "out/b/a.md"
    assert file.read_bytes() == b"one"
    assert stat.S_IMODE(file.stat().st_mode) & 0o600 == 0o600

    file.chmod(0o640)
    write_below(tmp_path, "out/b/a.md", b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [*file.parent.iterdir()] == [file]


@pytest.mark.parametrize("path", ["link/a.md", "out/link/a.md", "file", "out/to"])
def test_a_link_on_the_way_or_at_the_end_is_refused_and_what_it_leads_to_stays(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "out").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_text("kept")
    for link, target in (
        ("link", outside),
        ("out/link", outside),
        ("file", outside / "kept"),
        ("out/to", outside),
    ):
        (root / link).symlink_to(target)

    with pytest.raises(StorageError, match="link"):
        check_below(root, path)
    with pytest.raises(StorageError, match="link"):
        write_below(root, path, b"x")

    assert [one.name for one in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept"


def test_what_is_there_and_is_no_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(StorageError, match="not a file"):
        check_below(tmp_path, "out")
    with pytest.raises(StorageError, match="not a file"):
        write_below(tmp_path, "out", b"x")
