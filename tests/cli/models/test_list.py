"""`llm-orc models list`, as people and programs read it."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from tests.cli.conftest import Shell


@pytest.fixture
def machine(bare: Shell, pretend: str) -> Shell:
    """A machine with a local server and a key of Anthropic's, whose server is the sandbox, too."""
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"providers:\n  ollama: {{base_url: '{pretend}'}}\n  anthropic-api: {{base_url: '{pretend}'}}\n"
        f"  openai: {{base_url: 'http://127.0.0.1:9/v1'}}\n"
    )
    bare.environ |= {"PATH": "/usr/bin:/bin", "ANTHROPIC_API_KEY": "sk-ant-12345678"}
    return bare


def test_in_a_pipe_each_line_is_a_model(machine: Shell) -> None:
    done = machine.run("models", "list")

    assert done.returncode == 0, done.stderr
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["anthropic-api", "canned-small", "canned-small (llm-orc sandbox)", "?", "?"],
        ["anthropic-api", "canned-large", "canned-large (llm-orc sandbox)", "?", "?"],
        ["ollama", "canned-small", "", "$0", "$0"],
        ["ollama", "canned-large", "", "$0", "$0"],
    ]
    assert "anthropic-api: metered: billed per token · environment variable ANTHROPIC_API_KEY" in done.stderr
    assert "ollama: local: free" in done.stderr


def test_one_that_fails_is_told_and_the_others_are_listed(machine: Shell) -> None:
    machine.environ["OPENAI_API_KEY"] = "sk-proj-12345678"

    everything = machine.run("models", "list", "--json")
    named = machine.run("models", "list", "openai")

    listed = {one["provider"]: one for one in json.loads(everything.stdout)}
    assert everything.returncode == 0
    assert listed["openai"]["error"]["code"] == "provider_unreachable"
    assert listed["openai"]["access"]["billing"] == "metered"
    assert listed["openai"]["models"] == []
    assert listed["ollama"]["models"][0] == {
        "model": "canned-small",
        "name": None,
        "input_usd_per_million": 0.0,
        "output_usd_per_million": 0.0,
    }
    assert named.returncode == 5
    assert "`openai` can't be reached" in named.stderr


def test_where_all_fail_the_exit_code_says_so(machine: Shell) -> None:
    machine.config.write_text(
        "providers:\n  openai: {base_url: 'http://127.0.0.1:9/v1'}\n  ollama: {base_url: 'http://127.0.0.1:9/v1'}\n"
    )
    machine.environ["OPENAI_API_KEY"] = "sk-proj-12345678"
    del machine.environ["ANTHROPIC_API_KEY"]

    done = machine.run("models", "list")

    assert (done.returncode, done.stdout) == (5, "")


def test_a_search_finds_parts_of_ids_and_names(machine: Shell) -> None:
    found = machine.run("models", "list", "--search", "LARGE")
    nothing = machine.run("models", "list", "ollama", "--search", "zzz")

    assert [line.split("\t")[1] for line in found.stdout.splitlines()] == ["canned-large", "canned-large"]
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "No model has `zzz` in its id or name." in nothing.stderr


def test_without_any_access_it_says_what_to_do(bare: Shell) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9/v1'}\n")
    bare.environ["PATH"] = "/usr/bin:/bin"

    done = bare.run("models", "list")

    assert done.returncode == 4
    assert "there is no access to any model on this machine yet" in done.stderr
    assert "llm-orc setup" in done.stderr


def test_a_name_that_nobody_knows_gets_the_nearest(machine: Shell) -> None:
    done = machine.run("models", "list", "ollamma")

    assert done.returncode == 3
    assert "Did you mean `ollama`?" in done.stderr


def test_it_can_be_stopped_while_a_server_is_silent(bare: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bare.config.parent.mkdir(parents=True)
        bare.config.write_text(
            f"providers:\n  openai: {{base_url: 'http://127.0.0.1:{silent.getsockname()[1]}/v1'}}\n"
        )
        bare.environ |= {"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "sk-proj-12345678"}

        with bare.started("models", "list", "openai") as process:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
            connection.close()

    assert process.returncode == 130
    assert "Traceback" not in said


class TestOnATerminal:
    @pytest.mark.parametrize("columns", [100, 50])
    def test_the_table_fits(self, machine: Shell, columns: int) -> None:
        pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
        from tests.cli.terminal import CONTROL, Terminal

        terminal = Terminal(machine, "models", "list", "anthropic-api", columns=columns)
        seen = CONTROL.sub("", terminal.to_the_end())

        lines = [line for line in seen.splitlines() if line.startswith(("PROVIDER", "anthropic-api  "))]
        assert lines[0].split() == ["PROVIDER", "MODEL", "NAME", "IN", "OUT"]
        assert len(lines) == 3
        assert all(len(line) <= columns for line in lines)
