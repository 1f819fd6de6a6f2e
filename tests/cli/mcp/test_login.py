"""`llm-orc mcp login` and `logout`, as a person uses them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING

from tests.cli.auth.signing_in import visit
from tests.fakes.protected_tools import protected_tools

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


async def test_one_signs_in_once_and_sees_where(bare: Shell) -> None:
    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(bare.run, *arguments)

    async def signed_in(*arguments: str) -> tuple[int, str, str]:
        with bare.started(*arguments, "--no-browser") as process:
            assert process.stdout is not None
            stream = process.stderr if "--json" in arguments else process.stdout
            assert stream is not None
            url = ""
            while "/authorize" not in url:
                url = (await asyncio.to_thread(stream.readline)).strip()
            await asyncio.to_thread(visit, url)
            out, err = await asyncio.to_thread(process.communicate, timeout=20)
            return process.returncode, out, err

    async with protected_tools() as server:
        bare.config.parent.mkdir(parents=True, exist_ok=True)
        bare.config.write_text(json.dumps({"mcp_servers": {"notes": {"url": server.url}}}))
        before = await run("mcp", "tools")
        login = await signed_in("mcp", "login", "notes")
        after = await run("mcp", "tools")
        listed = await run("auth", "list")
        again = await signed_in("auth", "add", "mcp:notes", "--json")
        logout = await run("mcp", "logout", "notes")
        twice = await run("mcp", "logout", "notes")

    assert (before.returncode, "llm-orc mcp login notes" in before.stderr) == (4, True)
    assert (login[0], "It permits: tools:read." in login[2]) == (0, True), login
    assert "mcp.notes.add" in after.stdout
    assert (listed.returncode, "mcp:notes" in listed.stdout) == (0, True), listed
    assert json.loads(again[1])["provider"] == "mcp:notes"
    assert (logout.returncode, "revoked" in logout.stderr) == (0, True)
    assert (twice.returncode, "llm-orc mcp login notes" in twice.stderr) == (4, True)
    spoken = "".join(done.stdout + done.stderr for done in (before, after, listed, logout, twice))
    assert "canary" not in f"{spoken}{login}{again}"
