"""`llm-orc sandbox`: servers on this machine that imitate providers, for tests and rehearsals."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.process.stop_signals import stopping
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.sandbox.server import Sandbox


@define_command({0: "stopped by Ctrl-C or SIGTERM"})
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Listen on this port, e.g. `--port 8123`.  [default: 4715, or a free one if that is taken]",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="Inject a fault, e.g. `--fault status=429,times=2,retry_after=1` or `--fault cut=3,model=slow-*`;"
    " may be repeated.",
)
@click.option(
    "--delay",
    "delay_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Delay every answer by this time, e.g. `--delay 0.5`.  [default: 0]",
)
@click.option(
    "--tokens-per-second",
    "tokens_per_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Stream no faster than this, e.g. `--tokens-per-second 40`.  [default: at once]",
)
@click.option(
    "--context-window",
    type=click.IntRange(min=1),
    metavar="TOKENS",
    help="Refuse longer requests, as a model would, e.g. `--context-window 500`; a word counts as a token."
    "  [default: none]",
)
@click.option(
    "--token-lifetime",
    "token_lifetime_s",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    metavar="SECONDS",
    help="Lifetime of the sign-in's access tokens, e.g. `--token-lifetime 2`.  [default: 3600]",
)
@click.option("--require-token", is_flag=True, help="Answer only requests with a valid token of the sign-in.")
def command(
    *,
    port: int | None,
    faults: tuple[str, ...],
    delay_s: float,
    tokens_per_s: float | None,
    context_window: int | None,
    token_lifetime_s: float,
    require_token: bool,
) -> int:
    """Serve imitations of Anthropic, OpenAI and Gemini on loopback until Ctrl-C, and a sign-in for them.

    Each answer says that it is canned. Standard output has one line for each: dialect, tab, base URL.
    """
    from llm_orc.sandbox.faults import parse_fault
    from llm_orc.sandbox.oauth.server import OAuthServer
    from llm_orc.sandbox.server import Sandbox

    parsed = [parse_fault(fault) for fault in faults]

    def sandbox_at(port: int) -> Sandbox:
        return Sandbox(
            port=port,
            faults=parsed,
            delay_s=delay_s,
            tokens_per_s=tokens_per_s,
            context_window=context_window,
            keep_requests=False,
            oauth=OAuthServer(access_token_lifetime_s=token_lifetime_s, auto_approve=True, keep_requests=False),
            require_token=require_token,
        )

    asyncio.run(_serve(sandbox_at, port, require_token=require_token))
    return 0


async def _serve(sandbox_at: Callable[[int], Sandbox], port: int | None, *, require_token: bool) -> None:
    """Serve until a signal ends it: that is the normal end, so the exit code is 0."""
    stopped = asyncio.Event()
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    async with AsyncExitStack() as stack:
        stack.enter_context(stopping(lambda _exit_code: stopped.set()))
        sandbox = await _started(sandbox_at, port, stack)
        _introduce(sandbox, require_token=require_token)
        await stopped.wait()


async def _started(sandbox_at: Callable[[int], Sandbox], port: int | None, stack: AsyncExitStack) -> Sandbox:
    from llm_orc.sandbox.server import USUAL_PORT

    if port is not None:
        return await stack.enter_async_context(sandbox_at(port))
    try:
        return await stack.enter_async_context(sandbox_at(USUAL_PORT))
    except StorageError:  # taken, perhaps by another sandbox
        return await stack.enter_async_context(sandbox_at(0))


def _introduce(sandbox: Sandbox, *, require_token: bool) -> None:
    from llm_orc.sandbox.server import DIALECTS, USUAL_PORT

    write_data("".join(f"{dialect}\t{sandbox.base_url(dialect)}\n" for dialect in DIALECTS))
    keys = "only a token of its sign-in is accepted" if require_token else "keys are not checked"
    own = ""
    if not sandbox.origin.endswith(f":{USUAL_PORT}"):
        own = f"""
  sandbox:
    base_url: {sandbox.base_url("openai-chat")}
    oauth:
      issuer: {sandbox.origin}
  sandbox-plan:
    base_url: {sandbox.base_url("openai-responses")}
    oauth:
      issuer: {sandbox.origin}
      resource: {sandbox.origin}/v1"""
    note(f"""
To use it, in config.yaml:

providers:
  anthropic-api:
    base_url: {sandbox.base_url("anthropic")}
  openai-compatible:
    base_url: {sandbox.base_url("openai-chat")}{own}

To sign in: llm-orc auth add sandbox
Or as with ChatGPT: llm-orc auth add sandbox-plan

Answers are canned; {keys}. Ctrl-C ends it.""")
