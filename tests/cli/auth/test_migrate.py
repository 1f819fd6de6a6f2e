"""`llm-orc auth migrate` as its users meet it: it looks, asks, copies, takes away and puts back, and shows no key."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Shell

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "sk-canary-migrate-9f31c0de77aa"
SHORT = "canary-short-1"


@pytest.fixture
def scattered(bare: Shell) -> Shell:
    """A machine on which keys lie around in every place."""
    bare.environ["ANTHROPIC_API_KEY"] = MARKER
    (bare.cwd / ".env").write_text(f"A=1\nOPENAI_API_KEY={MARKER}\n")
    (bare.home / ".zshrc").write_text(f"export OPENROUTER_API_KEY={MARKER}\nexport HF_TOKEN=$(x {MARKER})\n")
    return bare


def files_with(shell: Shell, *texts: str) -> set[str]:
    return {
        path.name
        for root in (shell.home, shell.cwd)
        for path in root.rglob("*")
        if path.is_file() and any(text.encode() in path.read_bytes() for text in texts)
    }


def ours(shell: Shell) -> list[Path]:
    return sorted((shell.home / ".config" / "llm-orc").rglob("*"))


def test_without_a_yes_it_shows_and_writes_nothing(scattered: Shell) -> None:
    done = scattered.run("auth", "migrate", "--remove-old")

    assert done.returncode == 0
    assert [line.split("\t")[:3] for line in done.stdout.splitlines()] == [
        ["anthropic-api", "copy", "…77aa"],
        ["openai", "copy", "…77aa"],
        ["openrouter", "copy", "…77aa"],
        ["huggingface", "not-understood", ""],
    ]
    assert f"{scattered.cwd / '.env'}:2" in done.stdout
    assert "`openai` is metered: billed per token" in done.stderr
    assert "Nothing was changed. To copy: llm-orc auth migrate --yes" in done.stderr
    assert ours(scattered) == []


def test_yes_copies_and_says_what_is_left_to_do(scattered: Shell) -> None:
    done = scattered.run("auth", "migrate", "--yes", "--dotenv")
    listed = scattered.run("auth", "list", "--json")
    again = scattered.run("auth", "migrate", "--yes", "--dotenv")

    assert "Copied 3 credentials, and read back from the store. They are stored encrypted" in done.stderr
    assert "unset ANTHROPIC_API_KEY" in done.stderr
    assert f"{scattered.home / '.zshrc'}:1 still sets `OPENROUTER_API_KEY`" in done.stderr
    kept = {entry["provider"] for entry in json.loads(listed.stdout) if entry["place"] == "store"}
    assert kept == {"anthropic-api", "openai", "openrouter"}
    assert {line.split("\t")[1] for line in again.stdout.splitlines()} == {"already-there", "not-understood"}
    assert files_with(scattered, MARKER) == {".env", ".zshrc"}
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in ours(scattered)} == {0o600}
        assert stat.S_IMODE(ours(scattered)[0].parent.stat().st_mode) == 0o700


def test_the_old_place_goes_only_when_asked_and_comes_back(scattered: Shell) -> None:
    env = scattered.cwd / ".env"
    whole = env.read_bytes()
    profile = (scattered.home / ".zshrc").read_bytes()

    taken = scattered.run("auth", "migrate", "--yes", "--dotenv", "--remove-old")
    without = env.read_text()
    shown = scattered.run("auth", "migrate", "--undo")
    unchanged = env.read_text()
    back = scattered.run("auth", "migrate", "--undo", "--yes")
    nothing = scattered.run("auth", "migrate", "--undo", "--yes")

    assert "Restore it with: llm-orc auth migrate --undo --yes" in taken.stderr
    assert without == unchanged == "A=1\n"
    assert f"{env}:2" in shown.stderr
    assert back.returncode == 0, back.stderr
    assert env.read_bytes() == whole
    assert (scattered.home / ".zshrc").read_bytes() == profile
    assert "nothing to restore" in nothing.stderr


def test_json_is_one_document_and_asks_nothing(scattered: Shell) -> None:
    looked = json.loads(scattered.run("auth", "migrate", "--json").stdout)
    done = json.loads(scattered.run("auth", "migrate", "--json", "--yes", "--dotenv", "--remove-old").stdout)
    undone = json.loads(scattered.run("auth", "migrate", "--json", "--undo", "--yes").stdout)

    assert looked["is_dry_run"] is True
    assert looked["found"][1] == {
        "provider": "openai",
        "kind": "dotenv",
        "state": "copy",
        "why": "would be copied into the store",
        "variable": "OPENAI_API_KEY",
        "file": str(scattered.cwd / ".env"),
        "line": 2,
        "hint": "…77aa",
        "billing": "metered",
        "account": "default",
    }
    assert len(looked["billing_changes"]) == 3
    assert done["is_dry_run"] is False
    assert [change["is_done"] for change in done["changes"]] == [True]
    assert [change["is_done"] for change in undone["changes"]] == [True]


def test_nothing_to_do_is_said_and_no_failure(bare: Shell) -> None:
    done = bare.run("auth", "migrate")

    assert done.returncode == 0
    assert done.stdout == ""
    assert "No keys were found" in done.stderr


def test_a_damaged_store_is_refused_and_left(scattered: Shell) -> None:
    scattered.run("auth", "migrate", "--yes", "--dotenv")
    store = scattered.config.with_name("credentials.json")
    store.write_bytes(b"{}")

    done = scattered.run("auth", "migrate", "--yes", "--dotenv", "--remove-old")

    assert done.returncode == 4
    assert store.read_bytes() == b"{}"
    assert MARKER in (scattered.cwd / ".env").read_text()


@pytest.mark.parametrize("as_json", [True, False])
def test_an_older_store_that_can_not_be_read_is_told_and_left(bare: Shell, as_json: bool) -> None:
    older = bare.config.with_name("credentials.yaml")
    older.parent.mkdir(parents=True)
    older.write_bytes(b"gAAAA-not-ours")

    done = bare.run("auth", "migrate", "--yes", "--dotenv", "--remove-old", *(["--json"] if as_json else []))

    assert done.returncode == 0
    said = json.loads(done.stdout)["notices"][0] if as_json else done.stderr
    assert "can't be read and was left unchanged" in said
    assert older.read_bytes() == b"gAAAA-not-ours"


def test_undo_and_remove_old_exclude_each_other(bare: Shell) -> None:
    assert bare.run("auth", "migrate", "--undo", "--remove-old").returncode == 2


def test_a_key_that_differs_comes_with_the_command_that_takes_it(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin=f"{MARKER}-other\n")
    (bare.cwd / ".env").write_text(f"OPENAI_API_KEY={MARKER}\n")

    shown = bare.run("auth", "migrate", "--yes", "--remove-old")
    command = next(line for line in shown.stderr.splitlines() if "--replace" in line).partition("llm-orc ")[2]
    taken = bare.run(*command.split())
    after = bare.run("auth", "migrate", "--yes", "--remove-old")

    assert taken.returncode == 0, taken.stderr
    assert "Copied 1 credential" in taken.stderr
    assert "\talready-there\t" in after.stdout
    assert not (bare.cwd / ".env").read_text()


def test_it_never_advises_the_command_that_just_ran(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin=f"{MARKER}\n")
    link = bare.cwd / ".env"
    (bare.cwd / "real.env").write_text(f"OPENAI_API_KEY={MARKER}\n")
    link.symlink_to("real.env")

    first = bare.run("auth", "migrate", "--yes")
    again = bare.run("auth", "migrate", "--yes", "--remove-old")

    assert "auth migrate --yes --remove-old" in first.stderr
    assert "auth migrate --yes --remove-old" not in again.stderr
    assert "remove the line yourself" in again.stderr


@pytest.mark.parametrize("key", [MARKER, SHORT, f"{MARKER} {SHORT}", "Ä" + MARKER])
@pytest.mark.slow
def test_no_key_is_shown_or_written_whatever_happens(bare: Shell, key: str) -> None:
    bare.environ["ANTHROPIC_API_KEY"] = key
    env = bare.cwd / ".env"
    env.write_text(f"OPENAI_API_KEY='{key}'\nGEMINI_API_KEY={key}$x\nHF_TOKEN={key}\n", encoding="utf-8")
    bare.ensemble("broken", f"name: x\nagents: [{{name: a, api_key: {key}}}]\n")
    store = bare.config.with_name("credentials.json")
    said = ""
    for arguments in (
        *((), ("--json",), ("--yes",), ("--yes", "--remove-old"), ("--undo",), ("--undo", "--yes", "--json")),
        *(("--yes", "--remove-old", "--json"),),
    ):
        done = bare.run("--debug", "auth", "migrate", *arguments)
        said += done.stdout + done.stderr
    found = files_with(bare, key, key[4:-4])
    if store.exists():
        store.write_bytes(store.read_bytes()[:-50])
    done = bare.run("--debug", "auth", "migrate", "--undo", "--yes")
    done = bare.run("--debug", "auth", "migrate", "--yes")
    said += done.stdout + done.stderr

    assert not [line for line in said.splitlines() if key in line or key[4:-4] in line]
    assert found <= {".env", "broken.yaml"}
    assert SHORT[-4:] not in said  # a short key gives no hint


def test_the_sign_ins_of_other_programs_are_not_read(bare: Shell) -> None:
    for place in (
        ".claude/.credentials.json",
        ".codex/auth.json",
        ".config/gh/hosts.yml",
        ".config/anthropic/x.json",
    ):
        path = bare.home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"OPENAI_API_KEY": "{MARKER}"}}')

    done = bare.run("auth", "migrate", "--yes", "--dotenv", "--remove-old", "--json")

    assert json.loads(done.stdout)["found"] == []


class TestInATerminal:
    """A person is asked twice, and a no is a no."""

    @pytest.fixture(autouse=True)
    def _needs_terminals(self) -> None:
        pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

    def test_two_questions_two_yeses(self, scattered: Shell) -> None:
        from tests.cli.terminal import Terminal

        terminal = Terminal(scattered, "auth", "migrate", "--remove-old", columns=60)
        terminal.process.expect("Copy 3 credentials into the store")
        terminal.process.sendline("y")
        terminal.process.expect("Remove them")
        terminal.process.sendline("n")
        seen = terminal.to_the_end()

        assert re.search(r"PROVIDER +STATE", seen)
        assert MARKER in (scattered.cwd / ".env").read_text()
        assert scattered.config.with_name("credentials.json").exists()

    def test_no_changes_nothing(self, scattered: Shell) -> None:
        from tests.cli.terminal import Terminal

        terminal = Terminal(scattered, "auth", "migrate")
        terminal.process.expect("Copy 3 credentials into the store")
        terminal.process.sendline("n")

        assert "Nothing was changed" in terminal.to_the_end()
        assert ours(scattered) == []


def test_a_key_that_came_with_a_folder_is_not_taken_unasked(bare: Shell) -> None:
    """A cloned repository's `.env` could hold somebody else's key, and show them what is asked with it."""
    (bare.cwd / ".env").write_text("OPENAI_API_KEY=sk-somebody-elses-key-00000000\n")

    done = bare.run("auth", "migrate", "--yes")

    assert done.returncode == 0
    assert "--dotenv" in done.stdout
    assert json.loads(bare.run("auth", "list", "--json").stdout) == []
    bare.run("auth", "migrate", "--yes", "--dotenv")
    assert [one["provider"] for one in json.loads(bare.run("auth", "list", "--json").stdout)] == ["openai"]
