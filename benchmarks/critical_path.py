"""How near a run comes to its critical path: ten layers of twenty agents, a quarter of them programs.

Each agent waits for all of the layer before, and takes 0.3 s.

python -m benchmarks.critical_path
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.report import publish
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Runtime
from llm_orc.app.wiring import open_app
from llm_orc.settings.environment import ProcessEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAYERS, _WIDTH, _TAKES_S, _RUNS = 10, 20, 0.3, 3


def _agent(layer: int, place: int) -> dict[str, object]:
    before = [f"a{layer - 1}-{i}" for i in range(_WIDTH)] if layer else []
    agent: dict[str, object] = {"name": f"a{layer}-{place}", "depends_on": before}
    if place % 4 == 0:
        return agent | {"script": ["sleep", str(_TAKES_S)], "stdin": ""}
    return agent | {"provider": "openai-compatible", "model": "m", "sees": "task"}


@contextmanager
def _provider() -> Iterator[str]:
    """A provider in a process of its own, each of whose answers takes 0.3 s; yield its base URL."""
    program = str(Path(sys.executable).with_name("llm-orc"))
    command = [program, "sandbox", "--port", "0", "--delay", str(_TAKES_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        urls = dict(process.stdout.readline().split() for _ in range(4))
        try:
            yield urls["openai-chat"]
        finally:
            process.terminate()


async def _measure(home: Path, base_url: str) -> list[float]:
    """Return the time of each run, in seconds."""
    config = home / ".config" / "llm-orc"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text(
        yaml.safe_dump({"providers": {"openai-compatible": {"base_url": base_url}}})
    )
    agents = [_agent(layer, place) for layer in range(_LAYERS) for place in range(_WIDTH)]
    file = home / "wide.yaml"
    file.write_text(yaml.safe_dump({"name": "wide", "agents": agents}))
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    app = open_app(ProcessEnvironment(environ, sys.platform, home, home, is_attended=False))
    ensemble = find_ensemble(app, str(file))
    taken = []
    async with Runtime(app) as runtime:
        for _ in range(_RUNS):
            began = time.perf_counter()
            result = await run_ensemble(app, ensemble, RunOptions("x"), runtime=runtime)
            taken.append(time.perf_counter() - began)
            assert result.status == "completed"
    return taken


def main() -> None:
    with tempfile.TemporaryDirectory() as home, _provider() as base_url:
        taken = asyncio.run(_measure(Path(home), base_url))
    path_s = _LAYERS * _TAKES_S
    rows = [{"run": i + 1, "time (s)": s, "of the critical path": s / path_s} for i, s in enumerate(taken)]
    publish("critical-path", "Ten layers of twenty agents", rows)


if __name__ == "__main__":
    main()
