"""Programs in disorder: noise, floods, silence, daemons that hold pipes, and starts that fail."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from llm_orc.errors import AccessNotSupported, LlmOrcError, ReplyTimedOut, ReplyTooLarge, ReplyUnreadable
from llm_orc.net.options import NetworkSettings
from llm_orc.processes.child import Child
from llm_orc.providers.base import Message, ModelRequest, Reply
from llm_orc.providers.official_cli.official import OfficialClis
from tests.fakes.claude import StandIn
from tests.fakes.codex import install as install_codex

_USUAL = NetworkSettings(idle_timeout_s=20, max_answer_mb=8)
_BRIEF = NetworkSettings(idle_timeout_s=1)


async def ask(claude: StandIn, text: str, *, network: NetworkSettings = _USUAL, max_retries: int = 0) -> Reply:
    async with OfficialClis({"PATH": claude.path}, network=network) as clis:
        state = await clis.look("claude-cli")
        asked = clis.model(state, None, provider="claude-cli", max_retries=max_retries)
        return await asked.reply(ModelRequest((Message("user", text),)))


# --- noise ---


@pytest.mark.parametrize(
    "noise",
    [
        b"\n\n  \n",
        b"(node:1) ExperimentalWarning: something\n",
        b"\xef\xbb\xbf\n",
        b"\xff\xfe no UTF-8 at all \x80\n",
        b'{"type": "a_kind_of_tomorrow", "half": "\\ud83d", "byte": "\xff"}\n',
        b"[1, 2]\nnull\n7\n{broken\n",
        b"x" * 300_000 + b"\n",
    ],
)
async def test_noise_between_the_lines_costs_no_answer(claude: StandIn, tmp_path: Path, noise: bytes) -> None:
    claude.set_up(
        do="raw",
        raw=noise + b'{"type":"assistant","message":{"content":[{"type":"text","text":"four"}]}}\n' + noise,
    )
    codex = install_codex(tmp_path / "codex")
    (codex / "raw").write_bytes(noise)

    reply = await ask(claude, "hello")
    async with OfficialClis({"PATH": str(codex / "bin"), "HOME": str(codex)}, network=_USUAL) as clis:
        asked = clis.model(await clis.look("codex-cli"), None, provider="codex-cli", max_retries=0)
        other = await asked.reply(ModelRequest((Message("user", "[raw]"),)))

    assert (reply.text, other.text) == ("four", "answer to [raw]")


@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
async def test_an_answer_without_anything_to_read_is_none(claude: StandIn, text: str) -> None:
    line = {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}}
    claude.set_up(do="raw", raw=json.dumps(line).encode() + b"\n")

    with pytest.raises(ReplyUnreadable, match="without any text"):
        await ask(claude, "hello")


@pytest.mark.parametrize("do", ["rubbish-once", "crash-once"])
async def test_a_program_in_disorder_gets_another_try(claude: StandIn, do: str) -> None:
    reply = await ask(claude, f"[do {do}]", max_retries=4)

    assert reply.text.startswith("answer")
    assert len(claude.starts) == 2


@pytest.mark.parametrize(
    ("do", "tries", "error"),
    [
        ("rubbish", 2, ReplyUnreadable),
        ("hang", 2, ReplyTimedOut),
        ("tool-block", 1, ReplyUnreadable),
        ("limit", 1, LlmOrcError),
        ("flood", 1, ReplyTooLarge),
    ],
)
async def test_what_does_not_get_better_is_tried_no_more_than_it_helps(
    claude: StandIn, do: str, tries: int, error: type[LlmOrcError]
) -> None:
    with pytest.raises(error):
        await ask(claude, f"[do {do}]", max_retries=4, network=_BRIEF if do == "hang" else _USUAL)

    assert len(claude.starts) == tries


# --- silence ---


@pytest.mark.parametrize("do", ["hang", "endless-retries"])
async def test_what_makes_no_progress_is_ended_after_the_time_of_the_setting(claude: StandIn, do: str) -> None:
    began = time.monotonic()
    with pytest.raises(ReplyTimedOut, match=r"no progress for 1 s") as caught:
        await ask(claude, f"[do {do}]", network=_BRIEF)

    assert 1 <= time.monotonic() - began < 15
    assert "network.idle_timeout_seconds" in (caught.value.hint or "")


async def test_one_that_reads_nothing_is_ended_too(claude: StandIn) -> None:
    claude.set_up(do="deaf")

    with pytest.raises(ReplyTimedOut):
        await ask(claude, "x" * 1_000_000, network=_BRIEF)


@pytest.mark.parametrize("do", ["hang", "drip"])
async def test_an_answer_has_a_time_in_all(claude: StandIn, do: str) -> None:
    network = NetworkSettings(idle_timeout_s=60, answer_timeout_s=0.5)
    with pytest.raises(ReplyTimedOut, match="not end within"):
        await ask(claude, f"[do {do}]", network=network)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows stops no process so")
async def test_what_came_while_we_were_stopped_is_read_before_a_time_out_is_declared(claude: StandIn) -> None:
    claude.set_up(do="slow")  # it answers while we are stopped, for longer than it may be silent
    ours = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ASKED, claude.path, "2", "hello", stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        while not claude.prompts:
            await asyncio.sleep(0.01)
    ours.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2.1)
    ours.send_signal(signal.SIGCONT)
    said, _ = await ours.communicate()

    assert said.decode().startswith("answered ")


async def test_a_line_that_comes_in_the_moment_of_a_time_out_is_the_next_one(tmp_path: Path) -> None:
    """As where the whole process is stopped just after the line was read: the time-out is due before it is handed on."""
    loop, is_written = asyncio.get_running_loop(), tmp_path / "written"
    child = await Child.start(
        ["/bin/sh", "-c", "read go; echo one; : > written; read end"], os.environ, tmp_path, most_bytes=100
    )
    deadline = loop.time() + 0.3
    reading = asyncio.create_task(_line_until(deadline, child))
    await asyncio.sleep(0)
    await child.send(b"go\n")
    _stop_us_until(is_written.exists)
    await asyncio.sleep(0)
    _stop_us_until(lambda: loop.time() > deadline)

    in_time, later = await reading, await _line_until(loop.time() + 10, child)
    await child.stop()

    assert (in_time, later) == (None, b"one\n")
    assert await child.line() is None


def _stop_us_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


async def _line_until(deadline: float, child: Child) -> bytes | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await child.line()
    except TimeoutError:
        return None


# --- floods ---


@pytest.mark.parametrize("do", ["flood", "endless-line", "complain"])
async def test_a_flood_ends_the_turn_within_a_stated_memory(claude: StandIn, do: str) -> None:
    """In a process of its own, so that its peak is its own."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", _ASKED, claude.path, "30", f"[do {do}]"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    error, mb = done.stdout.split()

    assert error == "reply_too_large"
    assert float(mb) < 80


_ASKED = """
import asyncio, resource, sys
from llm_orc.errors import LlmOrcError
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.official_cli.official import OfficialClis

async def main():
    async with OfficialClis({"PATH": sys.argv[1]}, network=NetworkSettings(idle_timeout_s=float(sys.argv[2]))) as clis:
        asked = clis.model(await clis.look("claude-cli"), None, provider="claude-cli", max_retries=0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome = "answered"
        try:
            await asked.reply(ModelRequest((Message("user", sys.argv[3]),)))
        except LlmOrcError as error:
            outcome = error.code
        print(outcome, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

asyncio.run(main())
"""


# --- what holds its pipes ---


@pytest.fixture
async def daemons(claude: StandIn) -> AsyncIterator[StandIn]:
    """Whatever it leaves behind in a group of its own is ended by the test."""
    yield claude
    for one in claude.seen:
        if one.get("daemon"):
            os.kill(one["pid"], signal.SIGKILL)


async def test_a_daemon_that_holds_the_pipes_does_not_hold_the_answer(daemons: StandIn) -> None:
    began = time.monotonic()
    reply = await ask(daemons, "[do daemon]", network=NetworkSettings(idle_timeout_s=60))

    assert reply.text.startswith("answer")
    assert time.monotonic() - began < 30


async def test_nor_the_news_that_there_is_none(daemons: StandIn) -> None:
    began = time.monotonic()
    with pytest.raises(ReplyUnreadable, match="ended"):
        await ask(daemons, "[do daemon-and-end]", network=NetworkSettings(idle_timeout_s=60))

    assert time.monotonic() - began < 30


@pytest.mark.skipif(
    sys.platform != "linux" or not Path("/usr/bin/setpriv").exists(), reason="Linux with util-linux"
)
async def test_it_ends_where_we_are_killed_outright(claude: StandIn) -> None:
    claude.set_up(do="deaf")  # no pipe that closes would tell it
    ours = await asyncio.create_subprocess_exec(sys.executable, "-c", _ASKED, claude.path, "30", "hello")
    async with asyncio.timeout(20):
        while not claude.starts:
            await asyncio.sleep(0.02)
    ours.kill()
    await ours.wait()
    async with asyncio.timeout(10):
        while _is_alive(claude.starts[0]["pid"]):
            await asyncio.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


# --- what can't start ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty, damaged or for another system"),
        (b"\x7fELF\x02\x01\x01garbage", "empty, damaged or for another system"),
        (b"MZ\x90\x00", "empty, damaged or for another system"),
        (b"#!/nowhere/node\n", "the interpreter that its first line names"),
        (b"#!/usr/bin/env no-node-here\n", "can't run (exit code 127)"),
        (b"#!/bin/sh\nexit 3\n", "can't run (exit code 3)"),
        (b"#!/bin/sh\necho needs Node.js 22.0.0 >&2; exit 1\n", "needs Node.js 22.0.0"),
        (b"#!/bin/sh\necho hello\n", "does not report its version; it prints: hello"),
        (b"#!/bin/sh\nyes\n", "more than 8 MB"),
        (b"#!/bin/sh\necho 0.1.2\n", "too old"),
    ],
)
@pytest.mark.parametrize(("name", "command"), [("claude-cli", "claude"), ("codex-cli", "codex")])
async def test_a_program_that_cannot_start_is_told_for_what_it_is(
    tmp_path: Path, name: str, command: str, text: bytes, words: str
) -> None:
    program = tmp_path / command
    program.write_bytes(text)
    program.chmod(0o755)
    async with OfficialClis({"PATH": f"{tmp_path}:/usr/bin:/bin"}) as clis:
        state = await clis.look(name)

    assert isinstance(state.problem, AccessNotSupported)
    assert words in state.problem.message
    assert ("too old" in state.problem.message) is (words == "too old")
