"""Many processes that open one new database at the same moment all get it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

OPEN = """
import sys, time
from pathlib import Path
from llm_orc.storage.sqlite import open_database
for number in range(40):
    while time.time() < float(sys.argv[2]) + number * 0.02:
        pass
    connection = open_database(Path(sys.argv[1]) / f"{number}.sqlite", ("CREATE TABLE t (x)",))
    connection.execute("INSERT INTO t VALUES (1)")
    connection.close()
"""


@pytest.mark.slow
def test_four_at_once_make_one_file_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    begin = str(time.time() + 1.0)
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(path), begin], stderr=subprocess.PIPE) for _ in range(4)
    ]

    errors = [process.communicate(timeout=60)[1].decode() for process in processes]

    assert errors == [""] * 4
