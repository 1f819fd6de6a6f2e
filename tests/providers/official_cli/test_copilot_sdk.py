"""GitHub's own SDK before the same stand-in: what its empty mode asks for, and whether the stand-in speaks as it reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.copilot import install, seen
from tests.providers.official_cli.test_copilot import ask

pytestmark = pytest.mark.slow  # importing the SDK takes seconds

# What we say otherwise than the SDK, and why.
_OURS = {
    "sessionId",  # random
    "requestPermission",  # so that a request for permission reaches us, and ends the turn
}
_NOT_OURS = {
    "includeSubAgentStreamingEvents",  # there are no other agents
    "envValueMode",  # of MCP servers, which there are none of
}


def ask_by_sdk(home: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    """Ask in the SDK's empty mode; return the events as it has read them."""
    argv = (sys.executable, "-m", "tests.fakes.copilot_sdk", str(home), text)
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [tuple(json.loads(line)) for line in ran.stdout.splitlines()]


def params(home: Path, method: str) -> dict[str, Any]:
    [message] = [message for message in seen(home) if message.get("method") == method]
    found: dict[str, Any] = message["params"]
    return found


async def test_we_switch_off_all_that_its_empty_mode_does_and_more(tmp_path: Path) -> None:
    theirs, ours = install(tmp_path / "theirs", "tidy"), install(tmp_path / "ours")

    ask_by_sdk(theirs, "hello")
    await ask(ours, "hello", role="You are a lawyer.")

    asked, told = params(theirs, "session.create"), params(ours, "session.create")
    assert asked.keys() - told.keys() == _NOT_OURS
    assert {name for name in asked.keys() & told.keys() if asked[name] != told[name]} == _OURS
    for method in ("session.options.update", "session.send"):
        asked, told = params(theirs, method), params(ours, method)
        assert {**asked, "sessionId": None} == {**told, "sessionId": None}
    assert [m["method"] for m in seen(theirs)][:4] == [
        method for method in (m["method"] for m in seen(ours)) if method != "auth.getStatus"
    ]


async def test_it_reads_from_the_stand_in_what_we_read(tmp_path: Path) -> None:
    theirs, ours = install(tmp_path / "theirs", "tidy"), install(tmp_path / "ours")

    events = ask_by_sdk(theirs, "hello")
    reply = await ask(ours, "hello")

    [message] = [data for kind, data in events if kind == "assistant.message"]
    [usage] = [data for kind, data in events if kind == "assistant.usage"]
    pieces = [data["delta_content"] for kind, data in events if kind == "assistant.message_delta"]
    assert message["content"] == "".join(pieces) == reply.text
    assert (usage["model"], usage["input_tokens"], usage["output_tokens"]) == (
        reply.model,
        reply.usage.input_tokens,
        reply.usage.output_tokens,
    )
