"""A person at the terminal is asked about a call of a tool, while the view of the run waits."""

from __future__ import annotations

import asyncio
import json

import pytest
import yaml

from llm_orc.protocols.chat_request import ChatRequest
from llm_orc.providers.parts import ToolCall
from llm_orc.sandbox.canned import Said
from llm_orc.sandbox.server import Sandbox
from tests.cli.conftest import Shell

pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

from tests.cli.terminal import CONTROL, Terminal


def wants_it_three_times(asked: ChatRequest) -> Said:
    done = sum(bool(message.calls) for message in asked.messages)
    if done < 3:
        return Said("", (ToolCall(f"c{done}", "run_deploy", {"target": f"place\x1b[2J {done}"}),))
    return Said("done")


async def test_a_call_is_allowed_once_or_always_or_not(shell: Shell) -> None:
    async with Sandbox(compose=wants_it_three_times) as sandbox:
        shell.talks_to(sandbox.base_url("openai-chat"))
        settings = yaml.safe_load(shell.config.read_text())
        program = {"description": "Deploy", "parameters": {"target": "string"}, "command": ["cat"]}
        shell.config.write_text(yaml.safe_dump({**settings, "tools": {"deploy": program}}))
        agent = {"name": "a", "tools": ["run.deploy"]}
        shell.own_ensemble("one", yaml.safe_dump({"name": "one", "default_task": "x", "agents": [agent]}))

        seen, status = await asyncio.to_thread(_answer, shell)

    assert status == 0
    assert "May it call the tool run.deploy?" in seen
    assert "\\u001b[2J 0" in seen
    shown = json.loads(shell.run("runs", "show", "last", "--output-format", "json").stdout)
    assert [used["outcome"] for used in shown["results"]["a"]["tools"]] == ["done", "refused", "done"]
    kept = yaml.safe_load(shell.config.read_text())["permissions"]
    assert list(kept) == ["run.deploy"]
    assert kept["run.deploy"].startswith("allow:")


def _answer(shell: Shell) -> tuple[str, int | None]:
    terminal = Terminal(shell, "invoke", "one", columns=120)
    for number, keys in enumerate(("\x1b[A\x1b[A\r", "\r", "\x1b[A\r")):
        terminal.process.expect(rf"2J {number}")
        terminal.process.expect("3. No")
        terminal.process.send(keys)
    seen = terminal.to_the_end()
    return CONTROL.sub("", seen).replace("\r", ""), terminal.process.exitstatus
