"""A provider that turns calls away: the batch finds its speed, finishes, and never storms."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

PAIR = """\
name: pair
agents:
  - {name: first, provider: openai-compatible, model: m}
  - {name: second, provider: openai-compatible, model: m, depends_on: [first]}
"""
ROWS = 60


@dataclass
class Provider:
    """Speaks OpenAI's Chat Completions; `refuses` says of the number of calls in flight whether one is too many."""

    refuses: Callable[[int], bool]
    retry_after: str
    in_flight: int = 0
    most_in_flight: int = 0
    statuses: list[int] = field(default_factory=list)
    url: str = ""
    keys: list[str] = field(default_factory=list)
    says: str = "yes"

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.keys.append(request.headers.get("authorization", ""))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.refuses(self.in_flight):
                self.statuses.append(429)
                wait = {"retry-after": self.retry_after}
                return web.json_response({"error": {"message": "too many requests"}}, status=429, headers=wait)
            await asyncio.sleep(0.03)
            self.statuses.append(200)
            choice = {"message": {"role": "assistant", "content": self.says}, "finish_reason": "stop"}
            return web.json_response({"model": "m", "choices": [choice]})
        finally:
            self.in_flight -= 1


@asynccontextmanager
async def serving(provider: Provider) -> AsyncIterator[Provider]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()


async def run_batch(shell: Shell, provider: Provider) -> list[str]:
    """Run the batch and return how its rows ended."""
    (shell.cwd / "pair.yaml").write_text(PAIR)
    shell.config.parent.mkdir(parents=True, exist_ok=True)
    shell.config.write_text(json.dumps({"providers": {"openai-compatible": {"base_url": provider.url}}}))
    inputs = "".join(f"row {n}\n" for n in range(ROWS))
    done = await asyncio.to_thread(shell.run, "batch", "./pair.yaml", "--inputs", "-", stdin=inputs)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["status"] for line in done.stdout.splitlines()]


@pytest.mark.slow
async def test_a_third_of_the_calls_turned_away_at_random_and_every_row_is_done(shell: Shell) -> None:
    dice = random.Random(7)
    async with serving(Provider(lambda _in_flight: dice.random() < 1 / 3, "0.05")) as provider:
        statuses = await run_batch(shell, provider)

    assert statuses == ["completed"] * ROWS
    assert provider.statuses.count(200) == 2 * ROWS
    assert provider.statuses.count(429) < 2 * ROWS


@pytest.mark.slow
async def test_an_account_with_room_for_four_calls_is_found_out_and_kept_to(shell: Shell) -> None:
    async with serving(Provider(lambda in_flight: in_flight > 4, "0.2")) as provider:
        statuses = await run_batch(shell, provider)

    assert statuses == ["completed"] * ROWS
    later = provider.statuses[len(provider.statuses) // 3 :]
    assert later.count(429) / len(later) < 0.35


@pytest.mark.slow
async def test_no_credential_is_in_the_store_nor_in_results(shell: Shell) -> None:
    """Each worker finds its own: a batch holds models, roles, tasks and answers."""
    marker = "sk-marker-0123456789abcdef"
    shell.environ["BATCH_KEY"] = marker
    async with serving(Provider(lambda _in_flight: False, "0")) as provider:
        (shell.cwd / "pair.yaml").write_text(PAIR)
        shell.config.parent.mkdir(parents=True, exist_ok=True)
        settings = {"base_url": provider.url, "api_key_env": "BATCH_KEY", "billing": "local"}
        shell.config.write_text(json.dumps({"providers": {"openai-compatible": settings}}))
        command = ("batch", "./pair.yaml", "--inputs", "-", "--store", "kept.sqlite")
        done = await asyncio.to_thread(shell.run, *command, stdin="one\ntwo\n")

    kept = b"".join(path.read_bytes() for path in shell.cwd.glob("kept.sqlite*"))
    assert done.returncode == 0, done.stderr
    assert set(provider.keys) == {f"Bearer {marker}"}
    assert b"llm_orc_rows" in kept
    assert marker.encode() not in kept
    assert marker not in done.stdout + done.stderr
