"""Stand-ins for the programs that clouds and vaults have for tokens: small shell scripts that count their runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

NEEDS_SH = pytest.mark.skipif(not Path("/bin/sh").exists(), reason="the stand-ins are shell scripts")


@dataclass(frozen=True)
class TokenProgram:
    """A script in a folder of its own, and the file in which each run leaves a line."""

    path: Path
    log: Path

    @property
    def runs(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


def token_program(folder: Path, body: str, name: str = "give-token") -> TokenProgram:
    """Write a script that notes its run, with its arguments, and then does `body`; `$n` is the number of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    path, log = folder / name, folder / f"{name}.log"
    path.write_text(
        f"#!/bin/sh\necho \"$*\" >> '{log}'\nn=$(wc -l < '{log}' | tr -d ' ')\n{body}\n", encoding="utf-8"
    )
    path.chmod(0o700)
    return TokenProgram(path, log)
