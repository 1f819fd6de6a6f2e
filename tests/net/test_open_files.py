"""The limit of open files, tried in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")

SCRIPT = """
import resource, sys
from llm_orc.net.open_files import raise_open_files
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [(256, 6000, "5900 6000 6000"), (512, 512, "412 512 512"), (64, 64, "16 64 64")],
)
def test_the_soft_limit_rises_to_the_hard_one(soft: int, hard: int, expected: str) -> None:
    run = [sys.executable, "-c", SCRIPT, str(soft), str(hard)]

    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() == expected
