"""Measure programs: repeatedly, each time in a fresh process, with the compared programs taking turns.

A machine's speed can drift by half within minutes. So the parent runs A B A B, and reports the median of each and
the median of the ratios between neighbours, which drift hardly affects.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median

import uvloop

from benchmarks.machine import CLIENT_CORE, cpu_s, peak_mb, pin, raise_open_files
from benchmarks.workload import Shape, chain, fan, parse_shape, stream

Work = Callable[[Shape, str], Awaitable[int]]
"""Does a shape's calls against the server at this origin; returns how many gave their whole answer."""

_TIMEOUT_S = 180
_WARM_UP = {"fan": fan(10), "stream": stream(10), "chain": chain(3), "layers": fan(10)}


@dataclass(frozen=True, slots=True)
class Program:
    """A program to measure: `python -m MODULE [VARIANT] SHAPE ORIGIN`, a module whose `main` calls `child`."""

    name: str
    module: str
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of the work alone; only `peak_mb` is of the whole process."""

    cpu_ms_per_call: float
    wall_s: float
    peak_mb: float
    failed_calls: int


class NotMeasured(Exception):
    """The program isn't installed, failed, or took too long; the text says which."""


def child(work: Work, arguments: Sequence[str] | None = None) -> None:
    """Do the work that the command line names, and print its `Sample` as JSON: the `main` of every program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", type=parse_shape)
    parser.add_argument("origin")
    options = parser.parse_args(arguments)
    pin(CLIENT_CORE)
    raise_open_files()
    sample = uvloop.run(_measured(work, options.shape, options.origin))
    sys.stdout.write(json.dumps(asdict(sample)) + "\n")


async def _measured(work: Work, shape: Shape, origin: str) -> Sample:
    await work(_WARM_UP[shape.kind], origin)
    # Small work is repeated because the clock's resolution is limited.
    rounds = 1 if shape.kind == "chain" else max(1, min(20, 200 // shape.calls))
    gc.collect()
    wall, cpu, done = [], 0.0, 0
    for _ in range(rounds):
        cpu_before, before = cpu_s(), time.perf_counter()
        done += await work(shape, origin)
        wall.append(time.perf_counter() - before)
        cpu += cpu_s() - cpu_before
        await asyncio.sleep(0)
    calls = rounds * shape.calls
    return Sample(cpu / calls * 1000, median(wall), peak_mb(), calls - done)


@contextmanager
def server(*, latency_ms: float = 0.0, pace_ms: float = 0.0, writes: int = 4) -> Iterator[str]:
    """Run the loopback server in its own process, and yield its origin."""
    command = [sys.executable, "-m", "benchmarks.server"]
    options = {"--latency-ms": latency_ms, "--pace-ms": pace_ms, "--writes": writes}
    command += [f"{name}={value}" for name, value in options.items()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def once(program: Program, shape: Shape, origin: str) -> Sample:
    """Measure one program in a fresh process. Raises `NotMeasured`."""
    command = [sys.executable, "-m", program.module, *filter(None, [program.variant]), str(shape), origin]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    try:
        finished = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise NotMeasured(f"not finished after {_TIMEOUT_S} s") from error
    if finished.returncode != 0:
        raise NotMeasured((finished.stderr.strip().splitlines() or ["ended without a word"])[-1])
    return Sample(**json.loads(finished.stdout.splitlines()[-1]))


@dataclass(frozen=True, slots=True)
class Compared:
    """A program's medians for one shape. `cpu_ratio`: its CPU time relative to that of the first program."""

    program: str
    shape: Shape
    cpu_ms_per_call: float
    wall_s: float
    peak_mb: float
    failed_calls: int
    cpu_ratio: float
    note: str = ""  # why a figure is missing


def compare(programs: Sequence[Program], shape: Shape, origin: str, repeats: int) -> list[Compared]:
    """Measure the programs in turns, each `repeats` times; the others are compared with the first."""
    samples: dict[str, list[Sample]] = {program.name: [] for program in programs}
    missing: dict[str, str] = {}
    for _ in range(repeats):
        for program in programs:
            if program.name in missing:
                continue
            try:
                samples[program.name].append(once(program, shape, origin))
            except NotMeasured as error:
                missing[program.name] = str(error)
                sys.stderr.write(f"NOT MEASURED: {program.name} on {shape}: {error}\n")
    base = samples[programs[0].name]
    return [_compared(program.name, shape, samples[program.name], base, missing) for program in programs]


def _compared(
    name: str, shape: Shape, samples: list[Sample], base: list[Sample], missing: dict[str, str]
) -> Compared:
    if name in missing or not samples:
        return Compared(name, shape, math.nan, math.nan, math.nan, 0, math.nan, missing.get(name, "no sample"))
    ratios = [ours.cpu_ms_per_call / theirs.cpu_ms_per_call for ours, theirs in zip(samples, base, strict=False)]
    return Compared(
        program=name,
        shape=shape,
        cpu_ms_per_call=median(sample.cpu_ms_per_call for sample in samples),
        wall_s=median(sample.wall_s for sample in samples),
        peak_mb=median(sample.peak_mb for sample in samples),
        failed_calls=max(sample.failed_calls for sample in samples),
        cpu_ratio=median(ratios) if ratios else math.nan,
    )


def growth_exponent(points: Sequence[tuple[int, float]]) -> float:
    """Return the slope of log(total cost) over log(size): 1.0 is linear growth."""
    xs = [math.log(size) for size, _ in points]
    ys = [math.log(total) for _, total in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)
