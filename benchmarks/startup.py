"""The cost of a whole process: `--help`, `--version`, and one call from the command line to the answer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.machine import CLIENT_CORE, pinned
from benchmarks.measure import server
from benchmarks.report import Row, publish

_LATENCY_MS = 50.0
_CPU_TARGET_MS = 100
_HELP_TARGET_MS = 40
_LOOK_TARGET_MS = 150
_INVOKE_TARGET_MS = 400


@dataclass(frozen=True, slots=True)
class _Command:
    name: str
    words: Sequence[str]
    target: str


@dataclass(frozen=True, slots=True)
class _Cost:
    """The cost of one whole process, in milliseconds."""

    cpu_ms: float
    wall_ms: float


def measure_startup(repeats: int) -> None:
    """Measure all commands in turns; the first round is discarded: it compiles and fills the disk cache."""
    with tempfile.TemporaryDirectory() as folder, server(latency_ms=_LATENCY_MS) as origin, pinned(CLIENT_CORE):
        home = Path(folder)
        ensemble = _prepare(home, origin)
        commands = _commands(ensemble)
        costs: dict[str, list[_Cost]] = {command.name: [] for command in commands}
        for turn in range(repeats + 1):
            for command in commands:
                cost = _cost(command, home)
                if turn:
                    costs[command.name].append(cost)
    floor_ms = median(cost.cpu_ms for cost in costs[commands[0].name])
    rows: list[Row] = []
    for command in commands:
        cpu_ms = median(cost.cpu_ms for cost in costs[command.name])
        wall_ms = median(cost.wall_ms for cost in costs[command.name])
        server_ms = _LATENCY_MS if "invoke" in command.words else 0.0
        rows.append(
            {
                "command": command.name,
                "CPU ms": cpu_ms,
                "x python -c pass": cpu_ms / floor_ms,
                "wall ms beyond the server's": wall_ms - server_ms,
                "target": command.target,
            }
        )
    publish("startup", "Start: one whole process", rows, [f"medians of {repeats} turns"])


def _commands(ensemble: Path) -> list[_Command]:
    orc = [sys.executable, "-m", "llm_orc"] if not _script().exists() else [str(_script())]
    invoke = [*orc, "invoke", str(ensemble), "--input", "x", "--output-format", "json"]
    return [
        _Command("python -c pass", [sys.executable, "-c", "pass"], ""),
        _Command("llm-orc --version", [*orc, "--version"], f"CPU < {_CPU_TARGET_MS}"),
        _Command("llm-orc --help", [*orc, "--help"], f"CPU < {_HELP_TARGET_MS}"),
        _Command("llm-orc check", [*orc, "check", str(ensemble)], f"CPU < {_LOOK_TARGET_MS}"),
        _Command("llm-orc explain", [*orc, "explain", str(ensemble)], f"CPU < {_LOOK_TARGET_MS}"),
        _Command("llm-orc status", [*orc, "status"], f"CPU < {_LOOK_TARGET_MS}"),
        _Command("llm-orc invoke, one agent", invoke, f"wall < {_INVOKE_TARGET_MS}"),
    ]


def _script() -> Path:
    return Path(sys.executable).parent / "llm-orc"


def _prepare(home: Path, origin: str) -> Path:
    settings = home / "config" / "llm-orc" / "config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"providers:\n  openai-compatible:\n    base_url: {origin}/v1\n", encoding="utf-8")
    ensemble = home / "one-agent.yaml"
    ensemble.write_text(
        "name: one-agent\nagents:\n  - name: solo\n    provider: openai-compatible\n    model: benchmark\n",
        encoding="utf-8",
    )
    return ensemble


def _cost(command: _Command, home: Path) -> _Cost:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
    }
    before = time.perf_counter()
    process = subprocess.Popen(
        command.words, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall_ms = (time.perf_counter() - before) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"`{' '.join(command.words)}` ended with exit code {process.returncode}")
    return _Cost((used.ru_utime + used.ru_stime) * 1000, wall_ms)
