"""Time, peak processes and peak memory of many calls through an official CLI: `python -m benchmarks.official_cli`.

Without an argument it measures the fake CLI of the tests, which answers at once; with the path of a real `claude`,
it measures that against a loopback Messages API, with an invented login. A third of the calls can be made to fail.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.claude import install

from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest, Reply
from llm_orc.providers.official_cli.official import OfficialClis
from llm_orc.sandbox.server import Sandbox

_TROUBLES = ("crash", "hang", "rubbish")
_LOOK_EVERY_S = 0.05


@dataclass
class Peak:
    processes: int = 0
    megabytes: float = 0.0


async def measure(calls: int, *, program: Path | None, troubled: bool) -> dict[str, object]:
    """Make `calls` calls at once. Returns their cost and outcomes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with AsyncExitStack() as stack:
            base_url = None
            if program is None:
                environ = {"PATH": install(Path(folder)).path}
            else:
                environ = _logged_in(Path(folder), program)
                base_url = (await stack.enter_async_context(Sandbox(keep_requests=False))).base_url("anthropic")
            network = NetworkSettings(idle_timeout_s=3 if troubled else 120)
            clis = await stack.enter_async_context(OfficialClis(environ, network=network))
            state = await clis.look("claude-cli")
            model = clis.model(state, None, provider="claude-cli", base_url=base_url, max_retries=0)
            peak = Peak()
            watch = asyncio.ensure_future(_watch(peak))
            began = time.perf_counter()
            prompts = [
                f"[do {_TROUBLES[n // 3 % 3]}]" if troubled and n % 3 == 0 else f"call {n}" for n in range(calls)
            ]
            asked = (model.reply(ModelRequest((Message("user", prompt),))) for prompt in prompts)
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            took = time.perf_counter() - began
            watch.cancel()
        left = len(list(_descendants()))
    return {
        "calls": calls,
        "answered": sum(isinstance(outcome, Reply) for outcome in outcomes),
        "seconds": round(took, 2),
        "peak_processes": peak.processes,
        "peak_mb": round(peak.megabytes),
        "processes_left": left,
    }


def _logged_in(home: Path, program: Path) -> dict[str, str]:
    (home / ".claude").mkdir()
    login = {
        "accessToken": "sk-ant-oat01-invented",
        "refreshToken": "sk-ant-ort01-invented",
        "expiresAt": int((time.time() + 8 * 3600) * 1000),
        "scopes": ["user:inference"],
        "subscriptionType": "max",
    }
    (home / ".claude" / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
    (home / "bin").mkdir()
    (home / "bin" / "claude").symlink_to(program)
    return {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(home)}


async def _watch(peak: Peak) -> None:
    while True:
        children = list(_descendants())
        peak.processes = max(peak.processes, len(children))
        peak.megabytes = max(peak.megabytes, sum(children))
        await asyncio.sleep(_LOOK_EVERY_S)


def _descendants() -> list[float]:
    """Return the resident megabytes of each living child process."""
    sizes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == os.getpid() and fields[0] != "Z":
                    sizes.append(int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
            except OSError:
                continue
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", nargs="?", type=Path, help="the path of a real `claude`")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--troubled", action="store_true", help="a third of the calls fail or print garbage")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.calls, program=given.program, troubled=given.troubled))))


if __name__ == "__main__":
    main()
