"""What works where no extra is installed: everything but what an extra is for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

COMMANDS = [
    ["demo", "--quiet"],
    ["invoke", "quick-answer", "--input", "hi", "--rehearse"],
    ["status"],
    ["doctor"],
    ["explain", "council"],
    ["check", "council"],
    ["runs", "list"],
    ["runs", "show", "last"],
    ["conversations", "list"],
    ["auth", "status"],
    ["mcp", "list"],
]
_PROGRAM = """
import importlib.util, json, sys

known = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "dbos" else known(name, *more)
from llm_orc.cli.main import main

codes = {" ".join(command): main(command) for command in json.loads(sys.argv[1])}
print(json.dumps(codes), file=sys.stderr)
"""


def test_without_the_extra_for_batches_only_batches_are_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps([*COMMANDS, ["batch", "list"]])],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    codes = json.loads(done.stderr.splitlines()[-1])

    assert done.stderr.count("batches need the durable engine") == 1
    assert codes["batch list"] == 3
    assert (
        codes["demo --quiet"] == codes["invoke quick-answer --input hi --rehearse"] == codes["runs show last"] == 0
    )
