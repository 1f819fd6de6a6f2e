"""One process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from llm_orc.storage.lock import exclusive, holder_of

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from llm_orc.storage.lock import exclusive
with exclusive(Path(sys.argv[1])) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")
def test_a_lock_is_refused_while_another_process_holds_it_and_free_once_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "run.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"

        with exclusive(path) as held_meanwhile:
            told = holder_of(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with exclusive(path) as held_afterwards:
            pass

    assert not held_meanwhile
    assert told == holder.pid
    assert held_afterwards


def test_a_lock_may_be_taken_in_one_thread_and_left_in_another(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    lock = exclusive(path)

    with ThreadPoolExecutor(1) as one:
        taken = one.submit(lock.__enter__).result()
    with ThreadPoolExecutor(1) as another:
        another.submit(lock.__exit__, None, None, None).result()

    assert taken
    with exclusive(path) as free_again:
        assert free_again


WITHOUT_LOCKS = """
import errno, fcntl, os, sys
from pathlib import Path
def flock(descriptor, how):
    number = getattr(errno, sys.argv[2])
    raise OSError(number, os.strerror(number))
fcntl.flock = flock  # stands for a network file system
from llm_orc.errors import StorageError
from llm_orc.storage.lock import exclusive
try:
    with exclusive(Path(sys.argv[1])) as held:
        print("held", held)
except StorageError as e:
    print(e.message, "|", e.hint)
"""


@pytest.mark.skipif(os.name == "nt", reason="flock is POSIX")
@pytest.mark.parametrize("error", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_a_file_system_without_locks_is_an_error_and_never_a_lock_that_outlives_its_holder(
    error: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.lock"

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, str(path), error], capture_output=True, text=True, check=True
    )

    assert f"can't lock `{path}`: " in done.stdout
    assert "file system with kernel locks" in done.stdout
