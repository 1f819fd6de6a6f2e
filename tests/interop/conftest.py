"""The certified server, our transport, and a store; see `package.json` for what has to be installed."""

from __future__ import annotations

import select
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings

_HERE = Path(__file__).parent
_START_LIMIT_S = 30


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    node = shutil.which("node")
    assert node is not None, "these tests need Node.js 20 or newer"
    assert (_HERE / "node_modules").is_dir(), "first run: npm --prefix tests/interop ci"
    with subprocess.Popen(
        [node, "server.mjs"], cwd=_HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        readable, _, _ = select.select([server.stdout], [], [], _START_LIMIT_S)
        address = server.stdout.readline().decode().strip() if readable else ""
        try:
            assert address, f"the server did not start; see: cd {_HERE} && node server.mjs"
            yield address
        finally:
            server.stdin.close()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(NetworkSettings(idle_timeout_s=10), max_connections=20) as transport:
        yield transport
