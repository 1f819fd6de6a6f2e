"""A private file is read only where nobody else could have put or changed it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import StorageError, UnsafeFile
from llm_orc.storage.private_file import (
    check_private_folder,
    keep_private,
    prepare_private,
    read_private,
    stamp_of,
)

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


@posix
@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("is_dangling", [True, False])
def test_no_database_is_opened_through_a_link(path: Path, tmp_path: Path, end: str, is_dangling: bool) -> None:
    target = tmp_path / "elsewhere"
    if not is_dangling:
        target.write_bytes(b"somebody's")
    database = path if end else tmp_path / "linked"
    database.with_name(f"{database.name}{end}").symlink_to(target)

    with pytest.raises(UnsafeFile, match="symbolic link"):
        prepare_private(database)

    assert target.exists() is not is_dangling


@posix
def test_a_database_and_what_stands_beside_it_are_closed_to_others(path: Path) -> None:
    beside = path.with_name("file-wal")
    beside.touch()
    for file, mode in ((path, 0o666), (beside, 0o644)):
        file.chmod(mode)

    prepare_private(path)

    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, beside)] == [0o600, 0o600]
    assert path.read_bytes() == b"content"


@posix
def test_a_new_database_is_private_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o377):
        path = tmp_path / f"{umask}"
        old = os.umask(umask)
        try:
            prepare_private(path)
        finally:
            os.umask(old)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away")
def test_nobody_else_s_database_or_folder_is_used(path: Path, tmp_path: Path) -> None:
    os.chown(path, 4711, 4711)
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(tmp_path)
    os.chown(folder, 4711, 4711)
    os.chown(link, 4711, 4711, follow_symlinks=False)

    for use, what in ((prepare_private, path), (check_private_folder, folder), (check_private_folder, link)):
        with pytest.raises(UnsafeFile, match="belongs to another user"):
            use(what)


@posix
def test_a_folder_of_ours_is_closed_and_a_link_to_one_is_left(tmp_path: Path) -> None:
    folder, other, link = tmp_path / "state", tmp_path / "other", tmp_path / "link"
    for made in (folder, other):
        made.mkdir()
        made.chmod(0o777)
    link.symlink_to(other)

    keep_private(folder)
    keep_private(link)
    keep_private(tmp_path / "missing")

    assert [stat.S_IMODE(made.stat().st_mode) for made in (folder, other)] == [0o700, 0o777]
