"""A PostgreSQL server for tests: in a temporary folder, on a free port of loopback, as a user without privileges.

Starting one takes seconds, so all tests of a process share it (`tests/conftest.py`); each has a new database.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql


def find_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's server programs, or None."""
    if (folder := os.environ.get("POSTGRES_BIN")) and (Path(folder) / "initdb").exists():
        return Path(folder)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Postgres:
    """Enter it to start a server; leaving it deletes everything."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # The server refuses to run as root.
        self._user = "nobody" if os.getuid() == 0 else None
        self.port = 0
        self._databases, self._database = 0, "postgres"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="llm-orc-pg-"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "orc", "--auth=trust", "-E", "UTF8", "--locale=C", "-N")
        self.port = _free_port()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return self._url(self._database)

    def _url(self, database: str) -> str:
        return f"postgresql://orc@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> None:
        """Let `url` be that of a new, empty database; the earlier ones stay as they are."""
        self._databases += 1
        self._database = f"test_{self._databases}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database)))

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -c max_connections=200 -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, how: str) -> None:
        """Stop the server. `immediate` is like a crash."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", how, "stop")

    def restart(self) -> None:
        self.stop("immediate")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # not a pipe: the server would keep it open
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        log = self._folder / "log"
        assert done.returncode == 0, f"{program} failed: {log.read_text() if log.exists() else ''}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
