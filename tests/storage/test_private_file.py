"""A private file is read only where nobody else could have put or changed it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import StorageError, UnsafeFile
from llm_orc.storage.private_file import read_private, stamp_of

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes, and links need rights there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


def test_a_private_file_is_read_whole(path: Path) -> None:
    file = read_private(path, limit_bytes=7)

    assert file is not None
    assert file.data == b"content"
    assert file.was_loose is None
    assert file.stamp == stamp_of(path)
    assert "content" not in repr(file)


def test_no_file_is_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "none", limit_bytes=10) is None
    assert stamp_of(tmp_path / "none") is None


def test_a_file_that_is_too_large_is_refused(path: Path) -> None:
    with pytest.raises(UnsafeFile, match="larger than"):
        read_private(path, limit_bytes=6)


@posix
@pytest.mark.parametrize("target", ["file", "nowhere"])
def test_a_link_is_refused_wherever_it_leads(target: str, path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path.with_name(target))

    with pytest.raises(UnsafeFile, match="symbolic link"):
        read_private(link, limit_bytes=10)


@posix
def test_a_folder_a_pipe_and_a_place_within_a_file_are_errors_that_name_them(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))

    for wrong in (path.parent, path.with_name("pipe"), path / "below"):
        with pytest.raises(StorageError, match=wrong.name):
            read_private(wrong, limit_bytes=10)


@posix
def test_a_loose_mode_is_repaired_only_where_that_is_wanted(path: Path) -> None:
    path.chmod(0o664)

    seen = read_private(path, limit_bytes=10, repair=False)
    unrepaired = stat.S_IMODE(path.stat().st_mode)
    repaired = read_private(path, limit_bytes=10)

    assert seen is not None
    assert repaired is not None
    assert (seen.was_loose, unrepaired) == (0o664, 0o664)
    assert (repaired.was_loose, stat.S_IMODE(path.stat().st_mode)) == (0o664, 0o600)
