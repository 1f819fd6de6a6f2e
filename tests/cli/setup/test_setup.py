"""`llm-orc setup` without a person: what it shows, and what `--yes` does."""

from __future__ import annotations

import json
import socket
import subprocess

import pytest
import yaml

from tests.cli.conftest import PROGRAM, Shell


@pytest.fixture
def machine(bare: Shell, pretend: str) -> Shell:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"providers:\n  openai-compatible: {{base_url: '{pretend}'}}\n  ollama: {{base_url: 'http://127.0.0.1:9'}}\n"
        f"  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n"
    )
    bare.environ["PATH"] = "/usr/bin:/bin"
    return bare


def profile(shell: Shell) -> object:
    return yaml.safe_load(shell.config.read_text()).get("model_profiles", {}).get("default")


@pytest.mark.parametrize("arguments", [[], ["--list"], ["--json"]])
def test_without_a_terminal_it_shows_and_changes_nothing(machine: Shell, arguments: list[str]) -> None:
    before = machine.config.read_text()

    done = machine.run("setup", *arguments)

    assert done.returncode == 0
    assert "openai-compatible" in done.stdout
    assert machine.config.read_text() == before


def test_yes_takes_what_costs_nothing_tries_it_and_writes_it(machine: Shell) -> None:
    machine.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    done = machine.run("setup", "--yes", "--json")

    assert done.returncode == 0, done.stderr
    did = json.loads(done.stdout)
    assert (did["provider"], did["billing"], did["tested"]) == ("openai-compatible", "local", True)
    assert profile(machine) == {"provider": "openai-compatible", "model": "canned-small"}
    assert did["ensemble"].endswith("first-panel.yaml")
    assert "Next: llm-orc invoke first-panel" in done.stderr
    assert machine.run("setup", "--yes").returncode == 0


def test_a_provider_that_is_named_is_taken_whoever_pays(machine: Shell) -> None:
    machine.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    done = machine.run("setup", "--yes", "--provider", "openai", "--model", "m-1", "--no-test", "--no-ensemble")

    assert done.returncode == 0, done.stderr
    assert profile(machine) == {"provider": "openai", "model": "m-1"}
    assert not (machine.config.parent / "ensembles").exists()


def test_money_alone_is_no_default(machine: Shell) -> None:
    machine.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    machine.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9'}\n")

    done = machine.run("setup", "--yes")

    assert done.returncode == 4
    assert "llm-orc setup --yes --provider openai" in done.stderr
    assert profile(machine) is None


def test_nothing_at_all_says_what_to_do(bare: Shell) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9'}\n")
    bare.environ["PATH"] = "/usr/bin:/bin"

    done = bare.run("setup", "--yes")

    assert done.returncode == 4
    assert "llm-orc auth add" in done.stderr


def test_flags_for_yes_want_it(machine: Shell) -> None:
    done = machine.run("setup", "--provider", "openai")

    assert done.returncode == 2
    assert "need --yes" in done.stderr


def test_the_profile_keeps_what_is_not_about_the_provider(machine: Shell) -> None:
    with machine.config.open("a") as file:
        file.write(
            "model_profiles:\n  default:\n    provider: openai  # dear\n    temperature: 0.3\n    api_key_env: OTHER\n"
        )

    assert machine.run("setup", "--yes").returncode == 0

    assert profile(machine) == {"provider": "openai-compatible", "temperature": 0.3, "model": "canned-small"}


def test_a_server_on_a_usual_port_is_found_and_named(bare: Shell) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 1234)) == 0:
            pytest.skip("another server of this machine has the port")
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9'}\n")
    bare.environ["PATH"] = "/usr/bin:/bin"
    with subprocess.Popen([PROGRAM, "sandbox", "--port", "1234"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            done = bare.run("setup", "--yes")
            answered = bare.run("invoke", "first-panel")
        finally:
            server.kill()

    assert done.returncode == 0, done.stderr
    assert profile(bare) == {"provider": "openai-compatible/lm-studio", "model": "canned-small"}
    written = yaml.safe_load(bare.config.read_text())["providers"]["openai-compatible/lm-studio"]
    assert written == {"base_url": "http://127.0.0.1:1234/v1"}
    assert answered.returncode == 0, answered.stderr
