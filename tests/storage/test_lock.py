"""One process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llm_orc.storage.lock import exclusive

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
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with exclusive(path) as held_afterwards:
            pass

    assert not held_meanwhile
    assert held_afterwards
