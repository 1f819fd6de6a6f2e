"""A batch on a disk that fills up: it stops, says so, and goes on once there is room."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.busy_provider import PAIR, Provider, serving

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("sys.platform == 'win32'", reason="needs a limit on the size of files"),
]
ROWS = 200


@pytest.mark.parametrize("most_bytes", [0, 8_000, 150_000, 900_000], ids=["no room", "tables", "rows", "answers"])
async def test_a_full_disk_stops_the_batch_and_loses_nothing(shell: Shell, most_bytes: int) -> None:
    await stops_and_goes_on(shell, Provider(lambda _in_flight: False, "0"), ROWS, most_bytes)


async def test_an_answer_for_which_there_is_no_room_is_not_kept_as_a_failure(shell: Shell) -> None:
    """What says that an answer could not be kept is short, and there is room for it."""
    provider = Provider(lambda _in_flight: False, "0", says="a long answer " * 5_000)

    await stops_and_goes_on(shell, provider, 40, 1_500_000)

    again = len(provider.statuses) - 2 * 40
    assert 0 < again <= 40  # those that had come and could not be kept: a row has one agent under way


async def stops_and_goes_on(shell: Shell, provider: Provider, rows: int, most_bytes: int) -> None:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    inputs = "".join(f"row {n}\n" for n in range(rows))
    command = ("batch", "./pair.yaml", "--inputs", "-")
    async with serving(provider):
        shell.talks_to(provider.url)
        full = await asyncio.to_thread(shell.run, *command, stdin=inputs, most_bytes=most_bytes)
        done = await asyncio.to_thread(shell.run, *command, stdin=inputs)

    assert full.returncode == 1
    assert "can't use the store" in full.stderr
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["completed"] * rows
