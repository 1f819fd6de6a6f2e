"""A program as a tool: what it is, and how one call runs it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.script.environment import script_environment
from llm_orc.agents.script.output import shown
from llm_orc.agents.script.run import MOST_BYTES
from llm_orc.agents.script.start import find_command
from llm_orc.agents.script.work import ScriptWork
from llm_orc.agents.tools.tool import Tool, ToolResult
from llm_orc.dataclass import dataclass
from llm_orc.errors import ScriptFailed
from llm_orc.jsontypes import JsonValue
from llm_orc.processes.child import Child, TooMuchOutput
from llm_orc.providers.redact import remember_secret_values

if TYPE_CHECKING:
    from llm_orc.agents.tools.tool import ToolUse


@dataclass(frozen=True, slots=True)
class ProgramTool:
    """A program that agents may call. `work` says how it is started; its standard input is the arguments."""

    name: str  # with its prefix: `run.tests`
    description: str
    work: ScriptWork
    parameters: dict[str, JsonValue] = field(default_factory=lambda: {"type": "object"})
    limit_s: float = 60.0
    is_idempotent: bool = False
    only_reads: bool = False

    @property
    def digest(self) -> str:
        """Of all that decides what it does, as far as that is known: not of a program on the path."""
        work = self.work
        told = [self.description, self.parameters, work.argv, work.file, work.env, work.cwd, work.digests]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def tool(self) -> Tool:
        return Tool(
            self.name,
            self.description,
            self.parameters,
            self._call,
            acts=not self.only_reads,
            is_idempotent=self.is_idempotent,
            digest=self.digest,
        )

    async def _call(self, use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
        try:
            return await self._run(use, json.dumps(arguments, ensure_ascii=False).encode("utf-8", "replace"))
        except TimeoutError:
            return ToolResult(f"the program was ended: it took longer than {self.limit_s:g} s", is_error=True)
        except TooMuchOutput:
            return ToolResult(f"the program wrote more than {MOST_BYTES // 1024**2} MB", is_error=True)
        except ScriptFailed as e:
            return ToolResult(e.message, is_error=True)
        except (OSError, ValueError) as e:
            why = getattr(e, "strerror", None) or str(e)
            return ToolResult(f"the program can't be started: {why}", is_error=True)

    async def _run(self, use: ToolUse, written: bytes) -> ToolResult:
        work = self.work
        env = script_environment(work.env, os.environ)
        remember_secret_values({name: env[name] for name in work.env if name in env})
        cwd = Path.cwd() if work.cwd is None else Path(work.cwd)
        command = await asyncio.to_thread(find_command, str(use.agent), work, (), env, cwd)
        child = await Child.start(command, env, cwd, most_bytes=MOST_BYTES)
        sending = asyncio.ensure_future(child.send(written, is_last=True))
        try:
            async with asyncio.timeout(self.limit_s):
                output = await child.rest()
                code = await child.wait()  # it may work on after it has closed its output
        finally:
            sending.cancel()
            await child.stop()
        text = output.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
        if not code:
            return ToolResult(text)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        complaint = shown(child.stderr, env, os.environ)
        said = [f"the program {how}{f': {complaint}' if complaint else ''}", text]
        return ToolResult("\n".join(filter(None, said)), is_error=True)
