"""What it costs at most to be ended, stopped or out of room: each call that is made twice is counted at its provider.

One test for each cell of the table in `docs/concepts/runs-and-durability.md` that no other file has.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PROGRAM
from tests.fakes.busy_provider import PAIR, Provider, serving

if TYPE_CHECKING:
    import subprocess

    from tests.cli.conftest import Shell

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX notion")]
ROWS = 4
AT_ONCE = 2
AGENTS = 2  # one after the other
JUST_CAME = AT_ONCE  # answers that a kill -9 takes along, as they were not committed yet
LIMIT_S = 60.0
ENDINGS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]


@dataclass
class Place:
    """A shell whose ensemble `pair` is answered by a provider that counts."""

    shell: Shell
    provider: Provider

    async def run(self, *arguments: str, most_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(self.shell.run, *arguments, most_bytes=most_bytes)

    async def signalled(self, arguments: tuple[str, ...], *numbers: int, answers: int) -> tuple[int, str, int]:
        """Start it, and send the signals once a call is out and so many answers have come.

        Returns the exit code, what it said, and how many calls were out just before.
        """
        await until(lambda: self.provider.in_flight == 0)  # who was killed left one
        calls = len(self.provider.statuses) + answers
        with self.shell.started(*arguments) as process:
            await until(lambda: self.provider.in_flight > 0 and len(self.provider.statuses) >= calls)
            out = self.provider.in_flight
            for number in numbers:
                process.send_signal(number)
                if number == signal.SIGSTOP:
                    await asyncio.sleep(2 * self.provider.takes_s)  # the answer comes while it sleeps
            _, said = await asyncio.to_thread(process.communicate, timeout=LIMIT_S)
        return process.returncode, said, out

    @property
    def calls(self) -> int:
        """Those that were answered, or cut."""
        return len(self.provider.keys)


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.fixture
async def place(shell: Shell) -> AsyncIterator[Place]:
    (shell.cwd / "pair.yaml").write_text(PAIR)
    (shell.cwd / "in.txt").write_text("".join(f"row {n}\n" for n in range(ROWS)))
    async with serving(Provider(lambda _in_flight: False, "0", takes_s=0.7)) as provider:
        shell.talks_to(provider.url)
        yield Place(shell, provider)


INVOKE = ("invoke", "./pair.yaml", "-i", "x", "--output-format", "json")
RESUME = ("resume", "--output-format", "json")
BATCH = ("batch", "./pair.yaml", "--inputs", "in.txt", "--max-concurrent", str(AT_ONCE))
WORKER = ("worker", "--until-done")


async def statuses_of_last_batch(place: Place) -> dict[str, int]:
    counts: dict[str, int] = json.loads((await place.run("batch", "status", "last", "--json")).stdout)["counts"]
    return counts


# --- ended: SIGTERM, SIGHUP, kill -9 ---------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), ENDINGS)
async def test_invoke_that_is_ended_costs_the_call_that_was_out(place: Place, number: int, code: int) -> None:
    ended, _, out = await place.signalled(INVOKE, number, answers=1)
    done = await place.run(*RESUME)

    assert (ended, out, done.returncode) == (code, 1, 0)
    assert {r["status"] for r in json.loads(done.stdout)["results"].values()} == {"completed"}
    assert place.calls <= AGENTS + out


@pytest.mark.parametrize(("number", "code"), ENDINGS)
async def test_resume_that_is_ended_costs_the_call_that_was_out(place: Place, number: int, code: int) -> None:
    _, _, first = await place.signalled(INVOKE, signal.SIGKILL, answers=1)
    ended, _, out = await place.signalled(RESUME, number, answers=0)
    done = await place.run(*RESUME)

    assert (ended, done.returncode) == (code, 0)
    assert place.calls <= AGENTS + first + out


@pytest.mark.parametrize(("number", "code"), ENDINGS)
async def test_batch_that_is_ended_costs_nothing_or_the_calls_that_were_out(
    place: Place, number: int, code: int
) -> None:
    ended, _, out = await place.signalled(BATCH, number, answers=3)
    done = await place.run(*BATCH)

    assert (ended, done.returncode) == (code, 0), done.stderr
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["completed"] * ROWS
    assert place.calls <= ROWS * AGENTS + (out + JUST_CAME if number == signal.SIGKILL else 0)


async def test_two_hangups_cost_a_batch_no_more_than_one(place: Place) -> None:
    ended, _, _ = await place.signalled(BATCH, signal.SIGHUP, signal.SIGHUP, answers=3)
    done = await place.run(*BATCH)

    assert (ended, done.returncode) == (129, 0)
    assert place.calls == ROWS * AGENTS


@pytest.mark.parametrize(("number", "code"), ENDINGS)
async def test_worker_that_is_ended_costs_nothing_or_the_calls_that_were_out(
    place: Place, number: int, code: int
) -> None:
    await place.signalled(BATCH, signal.SIGTERM, answers=1)
    ended, _, out = await place.signalled(WORKER, number, answers=2)
    done = await place.run(*WORKER)

    assert (ended, done.returncode) == (code, 0), done.stderr
    assert await statuses_of_last_batch(place) == {"completed": ROWS}
    assert place.calls <= ROWS * AGENTS + (out + JUST_CAME if number == signal.SIGKILL else 0)


# --- stopped and woken -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [INVOKE, BATCH, WORKER], ids=lambda command: command[0])
async def test_who_is_stopped_and_woken_reads_the_answer_that_came_and_costs_nothing(
    place: Place, command: tuple[str, ...]
) -> None:
    if command == WORKER:
        await place.signalled(BATCH, signal.SIGTERM, answers=1)

    ended, said, _ = await place.signalled(command, signal.SIGSTOP, signal.SIGCONT, answers=1)

    assert ended == 0, said
    assert place.calls == (AGENTS if command == INVOKE else ROWS * AGENTS)


async def test_resume_that_is_stopped_and_woken_costs_nothing(place: Place) -> None:
    _, _, out = await place.signalled(INVOKE, signal.SIGKILL, answers=1)

    ended, said, _ = await place.signalled(RESUME, signal.SIGSTOP, signal.SIGCONT, answers=0)

    assert ended == 0, said
    assert place.calls == AGENTS + out


async def test_chat_that_is_stopped_and_woken_costs_nothing(place: Place) -> None:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "chat", "--lines", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=place.shell.cwd, env=place.shell.environ,
    )  # fmt: skip
    ending = asyncio.create_task(process.communicate(b"one\ntwo\n"))
    await until(lambda: place.provider.in_flight > 0)
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2 * place.provider.takes_s)
    process.send_signal(signal.SIGCONT)
    answers, said = await asyncio.wait_for(ending, LIMIT_S)

    assert process.returncode == 0, said
    assert answers.count(b"yes") == place.calls == 2


# --- no room ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most_bytes", [0, 30_000, 70_000])
async def test_invoke_without_room_asks_nobody_or_delivers_all(place: Place, most_bytes: int) -> None:
    place.provider.takes_s, place.provider.says = 0.0, "a long answer " * 2_000

    done = await place.run(*INVOKE, most_bytes=most_bytes)

    assert "error in llm-orc" not in done.stderr
    assert (place.calls, done.returncode) in {(0, 1), (AGENTS, 0)}, done.stderr
    if place.calls:
        assert {r["status"] for r in json.loads(done.stdout)["results"].values()} == {"completed"}


@pytest.mark.parametrize("most_bytes", [0, 150_000])
async def test_resume_without_room_asks_nobody_or_delivers_all(place: Place, most_bytes: int) -> None:
    _, _, out = await place.signalled(INVOKE, signal.SIGKILL, answers=1)
    before = place.calls
    place.provider.takes_s = 0.0

    done = await place.run(*RESUME, most_bytes=most_bytes)

    assert "error in llm-orc" not in done.stderr
    assert (place.calls - before, done.returncode) in {(0, 1), (out, 0)}, done.stderr


@pytest.mark.parametrize("most_bytes", [0, 400_000])
async def test_worker_without_room_costs_at_most_what_was_under_way(place: Place, most_bytes: int) -> None:
    place.provider.says = "a long answer " * 2_000
    await place.signalled(BATCH, signal.SIGTERM, answers=1)
    place.provider.takes_s = 0.0

    full = await place.run(*WORKER, most_bytes=most_bytes)
    done = await place.run(*WORKER)

    assert "error in llm-orc" not in full.stderr
    assert done.returncode == 0, done.stderr
    assert await statuses_of_last_batch(place) == {"completed": ROWS}
    assert place.calls <= ROWS * AGENTS + ROWS
