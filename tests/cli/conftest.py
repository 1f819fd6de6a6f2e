"""The installed program in a home of its own, with the sandbox to talk to."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.program.forked import can_fork, run_forked
from tests.program.popen import ForkedPopen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROGRAM = str(Path(sys.executable).with_name("llm-orc"))
LIMIT_S = 60.0
STARTED_LIMIT_S = 120.0

PANEL = """\
name: panel
description: Two analysts and a chair
default_task: Worth it?
agents:
  - name: analyst
    model_profile: default
  - name: lawyer
    model_profile: default
  - name: chair
    model_profile: default
    depends_on: [analyst, lawyer]
"""

PAIR = """\
name: pair
default_task: "Judge {{firm}} in {{land}}"
agents:
  - name: first
  - name: second
    depends_on: [first]
"""


def limit_files(most_bytes: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def start_program(arguments: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `llm-orc` with nothing to read and pipes for what it writes."""
    if can_fork():
        return ForkedPopen(arguments, cwd=cwd, environ=environ)
    return subprocess.Popen(
        [PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environ,
        text=True,
        encoding="utf-8",
    )


@dataclass
class Shell:
    """Runs `llm-orc` in its own home and directory."""

    home: Path
    cwd: Path
    environ: dict[str, str] = field(default_factory=dict)
    module: str | None = None
    """What is run in the place of `llm-orc`, as `python -m module`."""

    def __post_init__(self) -> None:
        self.environ |= os.environ | {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "NO_PROXY": "127.0.0.1",
        }
        self.environ.pop("CI", None)  # as at a person's: where it is set, an empty pipe is no input

    def _program(self) -> list[str]:
        if self.module is None:
            return [PROGRAM]
        return [
            sys.executable,
            str(Path(__file__).parents[2].joinpath(*self.module.split(".")).with_suffix(".py")),
        ]

    @property
    def config(self) -> Path:
        return self.home / ".config" / "llm-orc" / "config.yaml"

    def run(
        self, *arguments: str, stdin: str | bytes | None = None, most_bytes: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; without `stdin` it is /dev/null. No file can grow above `most_bytes`, as on a full disk."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        if most_bytes is None and can_fork():
            forked = run_forked(
                arguments, stdin=given, cwd=self.cwd, environ=self.environ, timeout_s=LIMIT_S, module=self.module
            )
            return subprocess.CompletedProcess(
                forked.args, forked.returncode, forked.stdout.decode(), forked.stderr.decode()
            )
        done = subprocess.run(
            [*self._program(), *arguments],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            cwd=self.cwd,
            env=self.environ,
            timeout=LIMIT_S,
            check=False,
            preexec_fn=None if most_bytes is None else lambda: limit_files(most_bytes),
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start it and go on; whatever is still running at the end, or after long, is killed."""
        with start_program(arguments, self.cwd, self.environ) as process:
            too_long = threading.Timer(STARTED_LIMIT_S, process.kill)  # who waits for its words gets none then
            too_long.start()
            try:
                yield process
            finally:
                too_long.cancel()
                process.kill()

    def ensemble(self, name: str, text: str) -> Path:
        path = self.cwd / ".llm-orc" / "ensembles" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def own_ensemble(self, name: str, text: str) -> Path:
        """Put it among the user's own, which need no trust."""
        path = self.config.with_name("ensembles") / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def talks_to(self, base_url: str) -> None:
        """Let the profile `default` be a local model behind `base_url`."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            "model_profiles:\n  default: {provider: openai-compatible, model: canned-1}\n"
            f"providers:\n  openai-compatible: {{base_url: '{base_url}'}}\n",
            encoding="utf-8",
        )


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """A machine with the program and nothing else: no settings, no ensembles, no access."""
    home, cwd = tmp_path / "own-home", tmp_path / "work"
    home.mkdir()
    cwd.mkdir()
    return Shell(home, cwd)


@pytest.fixture
def shell(bare: Shell, pretend: str) -> Shell:
    """A project with the ensemble `panel`, on the sandbox, which answers at once."""
    bare.talks_to(pretend)
    bare.ensemble("panel", PANEL)
    return bare


@pytest.fixture
def pair(shell: Shell) -> Shell:
    """`pair.yaml`, whose task has two placeholders."""
    (shell.cwd / "pair.yaml").write_text(PAIR)
    return shell


@contextmanager
def pretend_providers(*options: str) -> Iterator[str]:
    """Start `llm-orc sandbox` and return the base URL of its OpenAI dialect."""
    with start_program(
        ["sandbox", "--port", "0", *options], Path.cwd(), os.environ | {"LANG": "C.UTF-8"}
    ) as process:
        try:
            assert process.stdout is not None
            urls = dict(process.stdout.readline().split() for _ in range(2))
            yield urls["openai-chat"]
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def pretend() -> Iterator[str]:
    with pretend_providers() as base_url:
        yield base_url
