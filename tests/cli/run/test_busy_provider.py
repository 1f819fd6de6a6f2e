"""A provider that turns calls away: the batch finds its speed, finishes, and never storms."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

import pytest

from tests.fakes.busy_provider import PAIR, Provider, serving

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

ROWS = 60


async def run_batch(shell: Shell, provider: Provider) -> list[str]:
    """Run the batch and return how its rows ended."""
    (shell.cwd / "pair.yaml").write_text(PAIR)
    shell.talks_to(provider.url)
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
