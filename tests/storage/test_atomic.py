"""Private files: whole or not at all, and for their owner only."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import StorageError
from llm_orc.storage.atomic import remove_leftovers, write_private, write_where_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes; its user folders are private")


def test_a_written_file_reads_back_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.json"

    write_private(target, b"one")
    write_private(target, b"two")

    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


@posix
def test_file_and_folder_are_private_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o022, 0o277, 0o777):
        target = tmp_path / f"{umask:03o}" / "between" / "new" / "file.json"
        old = os.umask(umask)

        try:
            write_private(target, b"secret")
        finally:
            os.umask(old)

        folders = [folder for folder in target.parents if tmp_path in folder.parents]
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 3


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_output_has_the_user_s_usual_mode_and_what_is_there_keeps_its_own(tmp_path: Path, umask: int) -> None:
    new, closed, opened = (tmp_path / name for name in ("folder/new", "closed", "opened"))
    for file, mode in ((closed, 0o600), (opened, 0o664)):
        file.touch()
        file.chmod(mode)
    old = os.umask(umask)

    try:
        for file in (new, closed, opened):
            write_where_named(file, b"answers")
    finally:
        os.umask(old)

    modes = [stat.S_IMODE(file.stat().st_mode) for file in (new, closed, opened, new.parent)]
    assert modes == [0o666 & ~umask, 0o600, 0o664, 0o777 & ~umask]


@posix
def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    import resource

    target = tmp_path / "file.json"
    write_private(target, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))

    try:
        with pytest.raises(StorageError, match=r"can't write `.*file\.json`"):
            write_private(target, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert target.read_bytes() == b"old"
    assert list(tmp_path.glob(".file*")) == []


def test_many_writers_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    contents = [bytes([65 + i]) * 20_000 for i in range(8)]

    writers = [threading.Thread(target=write_private, args=(target, content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert target.read_bytes() in contents


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(StorageError, match="file"):
        write_private(tmp_path / "file" / "x.json", b"")


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    write_private(target, b"kept")
    (tmp_path / ".file.json.0123.tmp").write_bytes(b"left")
    (tmp_path / ".other.json.0123.tmp").write_bytes(b"another's")

    remove_leftovers(target)

    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        ".other.json.0123.tmp",
        "file.json",
    ]


def test_pieces_that_fail_leave_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.json"
    write_private(target, b"old")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        write_private(target, pieces())

    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


@posix
def test_output_goes_through_a_link_and_into_a_pipe_and_replaces_neither(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link"
    link.symlink_to(target)

    write_where_named(link, b"through")
    program = "from pathlib import Path; from llm_orc.storage.atomic import write_where_named as w; import sys"
    to_stdout = f"{program}; w(Path(sys.argv[1]), b'in a pipe')"
    piped = subprocess.run([sys.executable, "-c", to_stdout, "/dev/stdout"], capture_output=True, check=True)

    assert link.is_symlink()
    assert target.read_bytes() == b"through"
    assert piped.stdout == b"in a pipe"


@posix
def test_a_fifo_gets_the_bytes(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()

    write_where_named(fifo, [b"one ", b"two"])
    reader.join(10)

    assert got == [b"one two"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
