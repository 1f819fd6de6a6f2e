"""`check`, `explain` and `status` read files, so they load only what reads files: each is to start fast.

What each may load is the measure here, not how long it takes. A module that only runs need, or only a request, is to
be imported where it is used; `HEAVY_TO_LOAD` in `test_workshop.py` lists what may be.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ENSEMBLE = """
name: pair
agents:
  - name: first
    provider: openai-compatible
    model: small
  - name: second
    depends_on: [first]
    provider: openai-compatible
    model: small
"""
SETTINGS = """
providers:
  openai-compatible:
    base_url: http://127.0.0.1:9/v1
"""
TOO_HEAVY = {
    "aiohttp",
    "asyncio",
    "concurrent",
    "cryptography",
    "dbos",
    "filelock",
    "genai_prices",
    "jsonschema_rs",
    "keyring",
    "logging",
    "msgspec",
    "prompt_toolkit",
    "pydantic",
    "rich",
    "ruamel",
    "sqlite3",
    "ssl",
    "uvloop",
}
READING = {"agents", "app", "auth", "catalog", "cli", "dataclass", "ensembles", "errors", "formats", "jsontypes"}
READING |= {"net", "processes", "providers", "schemas", "settings", "storage"}
PORTS = (1234, 1337, 8000, 8080, 11434)  # of servers that `status` asks if they listen


def loaded_by(folder: Path, *arguments: str) -> set[str]:
    config = folder / "config" / "llm-orc"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text(SETTINGS, encoding="utf-8")
    (folder / "pair.yaml").write_text(ENSEMBLE, encoding="utf-8")
    code = (
        "import sys; from llm_orc.cli.main import main; code = main(sys.argv[1:]);"
        " print('modules:', *sys.modules, sep='\\n'); sys.exit(code not in {0, 4})"
    )
    environ = {name: value for name, value in os.environ.items() if name in {"SYSTEMROOT", "PYTHONPATH"}}
    environ |= {"HOME": str(folder), "PATH": str(folder), "USERPROFILE": str(folder)}
    environ |= {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.partition("modules:\n")[2].split("\n"))


def rooms_of(loaded: set[str]) -> set[str]:
    return {name.split(".")[1] for name in loaded if name.startswith("llm_orc.")}


@pytest.mark.parametrize(("command", "further"), [("check", {"engine"}), ("explain", {"engine"})])
def test_commands_about_an_ensemble_load_only_what_reads_files(
    tmp_path: Path, command: str, further: set[str]
) -> None:
    loaded = loaded_by(tmp_path, command, "pair.yaml")

    assert {name.partition(".")[0] for name in loaded} & TOO_HEAVY == set()
    assert rooms_of(loaded) <= READING | further
    assert sum(name.startswith("llm_orc.app.runs") for name in loaded) == 0
    assert sum(name.startswith("llm_orc.providers.dialects.") for name in loaded) <= 1


def test_status_loads_only_what_reads_files(tmp_path: Path) -> None:
    if any(_listens(port) for port in PORTS):
        pytest.skip("a server on this machine is asked over HTTP")

    loaded = loaded_by(tmp_path, "status")

    assert {name.partition(".")[0] for name in loaded} & TOO_HEAVY == set()
    assert rooms_of(loaded) <= READING | {"_version", "batches", "conversations", "engine", "runs"}


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
