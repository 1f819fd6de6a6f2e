"""kill -9 in the middle of paid calls, of runs and of batches: each resume counts them at their most."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

from tests.app.conftest import KEY, Workspace
from tests.fakes.paid_server import PROVIDERS, Fault, PaidServer
from tests.program.popen import create_program

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")]

LIMIT_USD = 0.3  # of two tries at their most, and not of three


def prepare(place: Workspace, server: PaidServer, agents: int = 1) -> None:
    provider, model, _ = PROVIDERS["anthropic"]
    paid = [
        {"name": f"a{n}", "provider": provider, "model": model, "max_tokens": 8000, "timeout_seconds": 20}
        for n in range(agents)
    ]
    place.environ = {"ANTHROPIC_API_KEY": KEY}
    place.settings(server.settings(max_retries=1))
    place.ensemble("paid", *paid)
    place.project.mkdir(parents=True, exist_ok=True)


async def start(place: Workspace, *arguments: str) -> asyncio.subprocess.Process:
    environ = place.process_environ()
    return await create_program(*arguments, cwd=place.project, env=environ, stderr=asyncio.subprocess.STDOUT)


async def killed_at_the_next_bill(place: Workspace, server: PaidServer, *arguments: str) -> str:
    """Run until it has sent a request, then kill it; returns what it said where it ended before that."""
    billed = asyncio.Event()
    server.billed = lambda _usd: billed.set()
    process = await start(place, *arguments)
    ended, sent = asyncio.ensure_future(process.communicate()), asyncio.ensure_future(billed.wait())
    async with asyncio.timeout(60):
        await asyncio.wait({ended, sent}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.send_signal(signal.SIGKILL)
        sent.cancel()
        output, _ = await ended
    return "" if process.returncode == -signal.SIGKILL else output.decode()


async def test_a_run_that_is_killed_four_times_stays_within_its_limit(workspace: Workspace) -> None:
    async with PaidServer(["silence"]) as server:
        prepare(workspace, server)
        limit = ("--max-cost", str(LIMIT_USD), "--all")
        commands = [("invoke", "paid", "--input", "x", *limit), *[("resume", "last", "--all")] * 4]
        said = [await killed_at_the_next_bill(workspace, server, *command) for command in commands]

        assert server.bill_usd <= LIMIT_USD
        assert len(server.bills) == 2
        assert said[:2] == ["", ""]
        assert all("budget_exceeded" in words for words in said[2:])


@pytest.mark.parametrize("fault", ["drop", "cut", "no usage"])
async def test_a_batch_stays_within_its_limit_over_faults_and_kills(workspace: Workspace, fault: Fault) -> None:
    async with PaidServer([fault]) as server:
        prepare(workspace, server)
        (workspace.project / "rows.txt").write_text("one\ntwo\nthree\nfour\nfive\n", encoding="utf-8")
        command = ("batch", "paid", "--inputs", "rows.txt", "--max-cost", str(LIMIT_USD))
        for _ in range(3):
            await killed_at_the_next_bill(workspace, server, *command)
        process = await start(workspace, *command)
        async with asyncio.timeout(60):
            output, _ = await process.communicate()

        assert server.bill_usd <= LIMIT_USD
        assert 1 <= len(server.bills) <= 2
        assert "which exceeds the batch's limit" in output.decode()


async def test_a_day_stays_within_its_limit_over_a_killed_batch_and_a_run_and_the_rows_wait(
    workspace: Workspace,
) -> None:
    async with PaidServer(["silence"]) as server:
        prepare(workspace, server)
        workspace.settings(server.settings(max_retries=0, max_cost_per_day=LIMIT_USD))
        (workspace.project / "rows.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
        command = ("batch", "paid", "--inputs", "rows.txt", "--max-concurrent", "1")
        assert await killed_at_the_next_bill(workspace, server, *command) == ""
        server.faults = ["no usage"]
        run = await start(workspace, "invoke", "paid", "--input", "x", "--all")
        await run.communicate()
        again = await start(workspace, *command)
        async with asyncio.timeout(60):
            output, _ = await again.communicate()
        status = await start(workspace, "batch", "status", "--json")
        said, _ = await status.communicate()

        assert len(server.bills) == 2
        assert server.bill_usd <= LIMIT_USD
        assert "that all runs of a day may cost (`runs.max_cost_per_day`) are spent" in output.decode()
        assert json.loads(said)["state"] == "open"
        assert json.loads(said)["counts"] == {"waiting": 3}
