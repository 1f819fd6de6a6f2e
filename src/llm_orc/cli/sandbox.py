"""`llm-orc sandbox`: pretend providers on this machine, for tests and rehearsals."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import click

from llm_orc.cli.options import tool

if TYPE_CHECKING:
    from llm_orc.sandbox.server import Sandbox


@tool("sandbox", "Serve pretend providers on this machine.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="Listen on this port, e.g. `--port 8123`.  [default: a free one]",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="Let something go wrong, e.g. `--fault status=429,times=2,retry_after=1` or `--fault cut=3,model=slow-*`;"
    " may be given more than once.",
)
@click.option(
    "--delay",
    "delay_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Hold every answer back so long, e.g. `--delay 0.5`.  [default: 0]",
)
@click.option(
    "--tokens-per-second",
    "tokens_per_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Stream no faster than this, e.g. `--tokens-per-second 40`.  [default: at once]",
)
def command(*, port: int, faults: tuple[str, ...], delay_s: float, tokens_per_s: float | None) -> int:
    """Serve look-alikes of Anthropic, OpenAI and Gemini on loopback until Ctrl-C.

    Each answer says that it is canned. Standard output gets one line for each: dialect, tab, base URL.
    """
    from llm_orc.sandbox.faults import parse_fault
    from llm_orc.sandbox.server import Sandbox

    parsed = [parse_fault(fault) for fault in faults]
    sandbox = Sandbox(port=port, faults=parsed, delay_s=delay_s, tokens_per_s=tokens_per_s, keep_requests=False)
    asyncio.run(_serve(sandbox))
    return 0


async def _serve(sandbox: Sandbox) -> None:
    """Serve until SIGINT or SIGTERM: here that is the way to end well, so the exit code is 0."""
    stopped = asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with sandbox:
        _introduce(sandbox)
        await stopped.wait()


def _introduce(sandbox: Sandbox) -> None:
    from llm_orc.cli.streams import note, write_data
    from llm_orc.sandbox.server import DIALECTS

    write_data("".join(f"{dialect}\t{sandbox.base_url(dialect)}\n" for dialect in DIALECTS))
    note(f"""
To use it, in config.yaml:

providers:
  anthropic-api:
    base_url: {sandbox.base_url("anthropic")}
  openai-compatible:
    base_url: {sandbox.base_url("openai-chat")}

Answers are canned; keys are not checked. Ctrl-C ends it.""")
