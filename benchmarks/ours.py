"""LLM Orchestra itself: a recorded run for every shape; its text is streamed if the shape is a stream."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Program, child
from benchmarks.workload import MODEL, PROMPT, SYSTEM_PROMPT
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.wiring import App, open_app
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.settings.environment import ProcessEnvironment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.workload import Shape
    from llm_orc.engine.events import RunEvent

PROGRAM = Program("llm-orc", "benchmarks.ours")


async def run(shape: Shape, origin: str) -> int:
    """Run an ensemble of this shape against the server, recorded; returns how many agents completed.

    Each run opens and closes its connections, its lock and the journal; settings are read once for the process.
    """
    ensemble = ensemble_of((shape.width,) * shape.layers)
    result = await run_ensemble(_app(origin), ensemble, RunOptions(PROMPT), RunListener(stream=shape.streamed))
    return result.total.calls


@cache
def _app(origin: str) -> App:
    home = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, home)
    return app_on(origin, home)


def app_on(origin: str, home: Path) -> App:
    """Return an app in `home` whose provider is the server at `origin`."""
    config = home / ".config" / "llm-orc" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(f"providers:\n  anthropic-api:\n    base_url: {origin}\n    billing: local\n")
    return open_app(ProcessEnvironment({"ANTHROPIC_API_KEY": "sk-0000-none"}, sys.platform, home, home))


def ensemble_of(layers: Sequence[int]) -> Ensemble:
    """Return an ensemble with the given number of agents in each layer.

    Each agent waits for the whole layer before its own, as the bare client does.
    """
    work = ModelWork(ModelRef(provider="anthropic-api", model=MODEL), SYSTEM_PROMPT, max_tokens=1024)
    agents = []
    before: tuple[str, ...] = ()
    for layer, width in enumerate(layers):
        names = tuple(f"agent-{layer}-{i}" for i in range(width))
        agents += [AgentSpec(name, work, depends_on=before) for name in names]
        before = names
    return Ensemble("benchmark", tuple(agents))


def _look(_event: RunEvent) -> None:
    return


if __name__ == "__main__":
    child(run)
