"""GitHub's own SDK asks a `copilot` in its empty mode, in a process of its own: it leaves its pipes open.

`python -m tests.fakes.copilot_sdk HOME TEXT` prints the events as the SDK has read them, each as a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_TOLD = ("content", "delta_content", "model", "input_tokens", "output_tokens")


async def ask(home: Path, text: str) -> None:
    sdk: Any = import_module("copilot")
    program = sdk.RuntimeConnection.for_stdio(path=str(home / "bin" / "copilot"))
    env = {"PATH": "/usr/bin"}
    client = sdk.CopilotClient(connection=program, mode="empty", base_directory=str(home / "base"), env=env)
    done = asyncio.Event()

    def happened(event: Any) -> None:
        told = {name: getattr(event.data, name) for name in _TOLD if hasattr(event.data, name)}
        print(json.dumps([event.type.value, told]))
        if event.type.value == "session.idle":
            done.set()

    await client.start()
    try:
        role = {"mode": "replace", "content": "You are a lawyer."}
        session = await client.create_session(available_tools=[], system_message=role, streaming=True)
        session.on(happened)
        await session.send(text)
        async with asyncio.timeout(30):
            await done.wait()
    finally:
        await client.stop()


if __name__ == "__main__":
    asyncio.run(ask(Path(sys.argv[1]), sys.argv[2]))
