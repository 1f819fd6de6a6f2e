"""`llm-orc status` and `llm-orc doctor`: how things stand, what is wrong, and what to do about it."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from llm_orc.batches.store_url import lock_file
from llm_orc.batches.tables import BATCHES, METADATA, PLAN_WAITS, ROWS
from llm_orc.runs.journal import EndOfTry, Entries, Journal
from llm_orc.storage.lock import exclusive
from tests.cli.conftest import Shell
from tests.fakes.claude import LOGGED_OUT, install
from tests.runs.conftest import new_run


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

    def test_it_says_what_of_a_days_limit_is_spent_as_explain_does(self, machine: Shell) -> None:
        config = machine.config.read_text()
        assert "today" not in machine.run("status").stdout

        machine.config.write_text(f"{config}runs:\n  max_cost_per_day: 2\n")
        words = "$0 of $2.00 spent, $2.00 left (runs.max_cost_per_day)"

        assert words in machine.run("status").stdout
        assert json.loads(machine.run("status", "--json").stdout)["today"] == {"max_cost_usd": 2, "counted_usd": 0}
        assert f"today: {words}" in machine.run("explain", "quick-answer").stdout

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


def empty_store(machine: Shell) -> tuple[Path, sa.Engine]:
    """A store of batches with its own tables, and without those of the engine that carries batches out."""
    path = machine.home / ".local" / "state" / "llm-orc" / "batches.sqlite"
    path.parent.mkdir(parents=True, mode=0o700)
    engine = sa.create_engine(f"sqlite:///{path}")
    METADATA.create_all(engine)
    return path, engine


class TestUnfinished:
    """Each with the one command that goes on."""

    def test_a_run_that_was_stopped(self, machine: Shell) -> None:
        state = machine.home / ".local" / "state" / "llm-orc"
        journal = Journal(state / "runs.sqlite")
        for number in range(3):
            run_id = f"20261127-10111{number}-abcdef"
            journal.begin(new_run(run_id, "a", "b", started_at=time.time() - 60 + number))
            journal.append(Entries(run_id, [], EndOfTry(run_id, "interrupted", 0.0, 1, 0.0), lambda _: None))
        journal.close()

        text, data = machine.run("status").stdout, json.loads(machine.run("status", "--json").stdout)

        assert "unfinished    panel, 1 agent of 2: llm-orc resume 20261127-101112-abcdef\n" in text
        assert "2 more runs: llm-orc runs list --status interrupted" in text
        assert (data["unfinished_run"], data["unfinished_runs"]) == ("20261127-101112-abcdef", 3)

    def test_batches_that_were_stopped_or_have_spent_their_budget(self, machine: Shell) -> None:
        _, engine = empty_store(machine)
        with engine.begin() as connection:
            for number, (state, max_cost, ended) in enumerate(
                [
                    ("open", None, 1),
                    ("spent", 0.5, 2),
                    ("spent", None, 2),
                    ("open", None, 3),
                    ("cancelled", None, 1),
                ]
            ):
                of = {"batch_id": f"b{number}", "ensemble": "panel", "inputs": "-", "recipe": b"", "total": 3}
                connection.execute(
                    sa.insert(BATCHES).values(
                        **of,
                        state=state,
                        max_cost_usd=max_cost,
                        max_calls=None if max_cost else 4,
                        created_at=9.0 - number,
                    )
                )
                for row in range(1, 4):
                    state_of_row = "completed" if row <= ended else "waiting"
                    values = {"batch_id": f"b{number}", "number": row, "line": row, "label": "", "task": ""}
                    connection.execute(sa.insert(ROWS).values(**values, fields=b"{}", state=state_of_row))
            until = time.time() + 3_700
            connection.execute(sa.insert(PLAN_WAITS).values(batch_id="b0", plan="p", until=until, wait=b""))
        engine.dispose()

        text, data = machine.run("status").stdout, json.loads(machine.run("status", "--json").stdout)

        lines = [line for line in text.splitlines() if line.startswith("batch ")]
        assert "panel, 1 of 3 rows, stopped, waits for a plan until " in lines[0]
        assert lines[0].endswith(": llm-orc batch resume b0")
        assert [line.split("rows, ")[1] for line in lines[1:]] == [
            "has spent its budget: llm-orc batch resume b1 --max-cost USD",
            "has spent its budget: llm-orc batch resume b2 --max-calls N",
        ]
        assert data["batches"]["total"] == 5
        assert [batch["batch_id"] for batch in data["batches"]["unfinished"]] == ["b0", "b1", "b2"]

    def test_batches_that_a_process_works_on(self, machine: Shell) -> None:
        path, engine = empty_store(machine)
        of = {"batch_id": "b0", "ensemble": "panel", "inputs": "-", "recipe": b"", "total": 3, "state": "open"}
        with engine.begin() as connection:
            connection.execute(sa.insert(BATCHES).values(**of, created_at=9.0))
        engine.dispose()

        with exclusive(lock_file(path)):
            text = machine.run("status").stdout

        assert "panel, 0 of 3 rows, in progress: llm-orc batch status b0\n" in text

    @pytest.mark.parametrize(
        ("store", "said"),
        [
            ("postgresql://me@nowhere.invalid/db", "are asked only by: llm-orc batch list"),
            ("{state}/notes.sqlite", "can't be read here ("),
        ],
    )
    def test_a_store_that_is_not_looked_into_is_named(self, machine: Shell, store: str, said: str) -> None:
        (machine.cwd / "notes.sqlite").write_text("no database at all" * 100)
        machine.environ["LLM_ORC_STORE"] = store.format(state=machine.cwd)

        done = machine.run("status")

        assert done.returncode == 0, done.stderr
        assert said in done.stdout

    def test_a_project_that_waits_for_trust(self, machine: Shell) -> None:
        folder = machine.cwd / ".llm-orc"
        folder.mkdir()
        (folder / "config.yaml").write_text("runs: {record: false}\n")

        before, data = machine.run("status").stdout, json.loads(machine.run("status", "--json").stdout)
        machine.run("trust", "--yes")
        after = machine.run("status").stdout

        assert "1 value has no effect before you trust it: llm-orc trust\n" in before
        assert data["untrusted_project"] == {"directory": str(machine.cwd), "values": 1}
        assert "llm-orc trust" not in after
