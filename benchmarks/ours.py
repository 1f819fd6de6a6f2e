"""LLM Orchestra itself: a run with its journal on for every shape, text streamed where the shape is a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import Program, child

if TYPE_CHECKING:
    from benchmarks.workload import Shape

PROGRAM = Program("llm-orc", "benchmarks.ours")


async def run(shape: Shape, origin: str) -> int:
    """Run an ensemble of this shape against the server, recorded; returns how many agents completed.

    Opens and closes all that a run needs, as one `invoke` would: it is called once to warm up, then measured.
    """
    raise NotImplementedError(f"nothing runs {shape} against {origin} yet")


if __name__ == "__main__":
    child(run)
