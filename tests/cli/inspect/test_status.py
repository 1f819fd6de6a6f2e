"""`llm-orc status` and `llm-orc doctor`: how things stand, what is wrong, and what to do about it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.conftest import Shell
from tests.fakes.claude import LOGGED_OUT, install


@pytest.fixture
def machine(bare: Shell, pretend: str) -> Shell:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"providers:\n  openai-compatible: {{base_url: '{pretend}'}}\n  ollama: {{base_url: 'http://127.0.0.1:9'}}\n"
    )
    bare.environ["PATH"] = "/usr/bin:/bin"
    return bare


def findings(shell: Shell, *arguments: str) -> dict[str, list[tuple[str, str | None]]]:
    """What `doctor` found that is not in order, by area."""
    done = shell.run("doctor", "--json", *arguments)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, list[tuple[str, str | None]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        if finding["grade"] != "ok":
            found.setdefault(finding["area"], []).append((finding["says"], finding["fix"]))
    return found


class TestStatus:
    def test_one_screen_says_who_answers_and_what_there_is(self, machine: Shell) -> None:
        machine.run("chat", "--conversation", "talk", stdin="one\n")
        done = machine.run("status")

        assert done.returncode == 0, done.stderr
        lines = {line.split()[0]: line for line in done.stdout.splitlines()}
        assert "openai-compatible" in lines["default"]
        assert "local: free" in lines["default"]
        assert "last `talk`" in lines["conversations"]
        assert "0 runs and 1 turn of chats kept" in lines["runs"]
        assert len(done.stdout.splitlines()) <= 24

    def test_json_has_the_same(self, machine: Shell) -> None:
        status = json.loads(machine.run("status", "--json").stdout)

        assert status["default"]["billing"] == "local"
        assert (status["conversations"], status["runs"], status["unfinished_run"]) == (0, 0, None)

    def test_without_access_it_says_so_and_the_exit_code_too(self, bare: Shell) -> None:
        bare.config.parent.mkdir(parents=True)
        bare.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9'}\n")
        bare.environ["PATH"] = "/usr/bin:/bin"

        done = bare.run("status")

        assert done.returncode == 4
        assert "llm-orc setup" in done.stderr


class TestDoctor:
    def test_a_machine_in_order(self, machine: Shell) -> None:
        machine.run("chat", stdin="one\n")

        done = machine.run("doctor")

        assert (done.returncode, done.stdout) == (0, "")
        assert "No problems" in done.stderr
        assert "✓ storage: the runs are intact" in machine.run("doctor", "--all").stdout

    def test_settings_that_can_not_be_read_come_first_and_with_their_line(self, machine: Shell) -> None:
        machine.config.write_text("runs: {max_retries: many}\n")

        done = machine.run("doctor")

        assert done.returncode == 1
        assert "✗ settings: " in done.stdout
        assert "config.yaml:1:" in done.stdout

    def test_an_ensemble_that_can_not_be_read(self, machine: Shell) -> None:
        machine.ensemble("broken", "name: broken\nagents: {}\n")

        [(says, fix)] = findings(machine)["ensembles"]

        assert "broken.yaml" in says
        assert fix

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
    def test_files_that_others_can_read(self, machine: Shell) -> None:
        machine.run("chat", stdin="one\n")
        database = machine.home / ".local" / "state" / "llm-orc" / "conversations.sqlite"
        database.chmod(0o644)

        [(says, fix)] = findings(machine)["files"]

        assert "mode 644" in says
        assert fix == f"chmod 600 {database}"

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
    def test_what_the_program_makes_is_private_under_any_umask(self, machine: Shell) -> None:
        state = machine.home / ".local" / "state" / "llm-orc"
        old = os.umask(0)
        try:
            machine.run("chat", stdin="one\n")
            made = [*(machine.home / ".local").rglob("*"), machine.home / ".local"]
            state.chmod(0o777)  # as an earlier release left it
            wrong = findings(machine, "--offline").get("files")
        finally:
            os.umask(old)

        assert {oct(path.stat().st_mode & 0o777) for path in made if path.is_dir()} == {"0o700"}
        assert {oct(path.stat().st_mode & 0o777) for path in made if path.is_file()} == {"0o600"}
        assert oct(state.stat().st_mode & 0o777) == "0o700"
        assert wrong is None

    def test_a_damaged_database(self, machine: Shell) -> None:
        machine.run("chat", stdin="one\n")
        database = machine.home / ".local" / "state" / "llm-orc" / "conversations.sqlite"
        for file in database.parent.glob("conversations.sqlite*"):
            file.write_bytes(b"no database at all" * 100)

        [(says, fix)] = findings(machine)["storage"]

        assert "is damaged" in says
        assert fix is not None
        assert "Keep a copy" in fix

    def test_a_key_that_shadows_a_plan(self, machine: Shell, tmp_path: Path) -> None:
        machine.environ["PATH"] = install(tmp_path / "stand-in").path
        machine.environ["ANTHROPIC_API_KEY"] = "sk-canary-4711"

        [(says, fix)] = findings(machine, "--offline")["billing"]

        assert "may bill this key instead of your plan" in says
        assert fix is not None
        assert "unset ANTHROPIC_API_KEY" in fix

    def test_an_official_cli_that_is_logged_out_or_old(self, machine: Shell, tmp_path: Path) -> None:
        claude = install(tmp_path / "stand-in")
        machine.environ["PATH"] = claude.path
        claude.set_up(status=LOGGED_OUT)
        [(says, fix)] = findings(machine, "--offline")["programs"]
        assert ("is not logged in" in says, fix) == (True, "claude auth login")

        claude.set_up(version="1.0.2")
        [(says, _)] = findings(machine, "--offline")["programs"]
        assert "1.0.2" in says

    def test_no_access_at_all(self, bare: Shell) -> None:
        bare.config.parent.mkdir(parents=True)
        bare.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9'}\n")
        bare.environ["PATH"] = "/usr/bin:/bin"

        assert ("llm-orc setup") in [fix for _, fix in findings(bare)["access"]]

    def test_a_server_that_can_not_be_reached(self, machine: Shell) -> None:
        machine.environ["OPENAI_API_KEY"] = "sk-canary-4711"
        with machine.config.open("a") as file:
            file.write("  openai: {base_url: 'http://127.0.0.1:9/v1'}\n")

        [(says, fix)] = findings(machine)["network"]

        assert "can't be reached at `http://127.0.0.1:9`" in says
        assert fix is not None
        assert "HTTPS_PROXY" in fix
        assert "network" not in findings(machine, "--offline")

    @pytest.mark.parametrize(("minutes", "way"), [(12, "12 min behind"), (-30, "30 min ahead of")])
    def test_a_clock_that_is_off(self, machine: Shell, minutes: int, way: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(404)
                self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(minutes=minutes)))
                self.send_header("Content-Length", "0")
                self.end_headers()
                seen.append(str(self.headers))

            def log_message(self, *_: object) -> None:
                pass

        seen: list[str] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            machine.environ["OPENAI_API_KEY"] = "sk-canary-4711"
            with machine.config.open("a") as file:
                file.write(f"  openai: {{base_url: 'http://127.0.0.1:{server.server_port}/v1'}}\n")
            [(says, _)] = findings(machine)["clock"]
        finally:
            server.shutdown()
            server.server_close()

        assert f"this machine's clock is {way} that of" in says
        assert "sk-canary" not in "".join(seen)

    def test_a_store_that_is_damaged(self, machine: Shell) -> None:
        store = machine.config.parent / "credentials.json"
        store.write_text("not a store")
        store.chmod(0o600)

        assert any("credentials.json" in says for says, _ in findings(machine, "--offline")["access"])
