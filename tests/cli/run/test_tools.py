"""Agents with tools, as a person and a script see them: lines as they are called, the record, and what is left."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from typing import TYPE_CHECKING

from llm_orc.sandbox.canned import Said
from llm_orc.sandbox.server import Sandbox
from tests.fakes.scripted_model import called, scripted

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.protocols.chat_request import ChatRequest
    from tests.cli.conftest import Shell

AGENT = "name: one\nagents:\n  - {name: a, provider: openai-compatible, model: m, tools: [files.read, run.note]}\n"
NOTE = """\
import json, pathlib, sys, time
text = json.load(sys.stdin)["text"]
with open("notes", "a") as file:
    file.write(text + "\\n")
while text == "slow" and not pathlib.Path("go").exists():
    time.sleep(0.02)
print(f"noted {text}")
"""


def set_up(shell: Shell, sandbox: Sandbox) -> None:
    shell.own_ensemble("one", AGENT)
    (shell.cwd / "note.py").write_text(NOTE)
    note = {
        "description": "Note a text.",
        "parameters": {"text": "string"},
        "command": [sys.executable, str(shell.cwd / "note.py")],
    }
    settings = {
        "providers": {"openai-compatible": {"base_url": sandbox.base_url("openai-chat")}},
        "tools": {"note": note},
        "permissions": {"run.*": "allow"},
    }
    shell.config.write_text(json.dumps(settings))


def notes(shell: Shell) -> list[str]:
    path: Path = shell.cwd / "notes"
    return path.read_text().split() if path.exists() else []


async def test_each_call_is_a_line_and_the_record_has_what_became_of_it(shell: Shell) -> None:
    (shell.cwd / "a.txt").write_text("the file")
    turns = (
        Said("I look.", (called("files_read", path="a.txt"), called("run_note", "c2", text="x"))),
        Said("", (called("files_read", "c3", path="none.txt"),)),
        "Done.",
    )
    async with Sandbox(compose=scripted(*turns)) as sandbox:
        set_up(shell, sandbox)
        done = await asyncio.to_thread(shell.run, "invoke", "one", "the task")
        shown = await asyncio.to_thread(shell.run, "runs", "show", "last", "--output-format", "text")
        as_json = await asyncio.to_thread(shell.run, "runs", "show", "last", "--json")

    assert (done.returncode, done.stdout.split()[-1]) == (0, "Done."), done.stderr
    lines = [
        line.rpartition(",")[0]
        for line in done.stderr.splitlines()
        if line.startswith("a: files") or "note" in line
    ]
    assert lines == ["a: files.read a.txt", "a: run.note x", "a: files.read none.txt, failed"]
    assert "3 tools called, 1 failed" in shown.stdout
    assert "> files.read none.txt, failed, " in shown.stdout
    used = json.loads(as_json.stdout)["results"]["a"]
    assert [(one["name"], one["outcome"]) for one in used["tools"]] == [
        ("files.read", "done"),
        ("run.note", "done"),
        ("files.read", "failed"),
    ]
    assert json.loads(as_json.stdout)["totals"]["calls"] == 3
    assert notes(shell) == ["x"]


async def test_after_a_kill_no_turn_is_paid_twice_and_no_tool_is_repeated(shell: Shell) -> None:
    turns = (
        Said("", (called("run_note", text="first"),)),
        Said("", (called("run_note", "c2", text="slow"),)),
        Said("", (called("run_note", "c3", text="third"),)),
        "Done.",
    )
    asked: list[int] = []
    model = scripted(*turns)

    def counted(request: ChatRequest) -> Said | str:
        asked.append(request.rounds)
        return model(request)

    async with Sandbox(compose=counted) as sandbox:
        set_up(shell, sandbox)

        def kill_in_the_middle() -> None:
            with shell.started("invoke", "one", "the task") as process:
                until = time.monotonic() + 30
                while "slow" not in notes(shell) and time.monotonic() < until:
                    time.sleep(0.02)
                process.send_signal(signal.SIGKILL)

        await asyncio.to_thread(kill_in_the_middle)
        resumed = await asyncio.to_thread(shell.run, "resume", "last", "--json")

    assert resumed.returncode == 0, resumed.stderr
    result = json.loads(resumed.stdout)
    assert (asked, notes(shell)) == ([0, 1, 2, 3], ["first", "slow", "third"])
    assert [one["outcome"] for one in result["results"]["a"]["tools"]] == ["done", "unknown", "done"]
    assert (result["answer"].split()[-1], result["totals"]["calls"]) == ("Done.", 4)


async def test_rows_of_a_batch_use_tools(shell: Shell) -> None:
    turns = (Said("", (called("run_note", text="x"), called("files_read", "c2", path="a.txt"))), "Done.")
    (shell.cwd / "a.txt").write_text("the file")
    (shell.cwd / "rows.jsonl").write_text('{"input": "one"}\n{"input": "two"}\n')
    async with Sandbox(compose=scripted(*turns)) as sandbox:
        set_up(shell, sandbox)
        done = await asyncio.to_thread(shell.run, "batch", "one", "--inputs", "rows.jsonl")

    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["status"] for row in rows] == ["completed"] * 2
    assert all("Done." in json.dumps(row) for row in rows)
    assert notes(shell) == ["x", "x"]
