"""`llm-orc mcp`, as people and programs use it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.fakes import mcp_server

SERVER = [sys.executable, str(Path(mcp_server.__file__))]


@pytest.fixture
def machine(bare: Shell) -> Shell:
    bare.config.parent.mkdir(parents=True)
    servers = {
        "fake": {"command": SERVER, "description": "For tests", "env": {"MY_TOKEN": None}},
        "broken": {"command": [*SERVER, "broken"]},
    }
    bare.config.write_text(json.dumps({"mcp_servers": servers}))
    return bare


def test_the_list_starts_nothing_and_says_how_each_is_reached(machine: Shell) -> None:
    done = machine.run("mcp", "list")
    rows = json.loads(machine.run("mcp", "list", "--json").stdout)

    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["fake", "broken"]
    assert (rows[0]["name"], rows[0]["command"], rows[0]["variables"]) == ("fake", SERVER, ["MY_TOKEN"])


def test_tools_are_listed_with_their_hints_and_a_server_that_fails_is_an_error(machine: Shell) -> None:
    done = machine.run("mcp", "tools")
    one = machine.run("mcp", "tools", "fake", "--json")

    assert done.stdout.splitlines()[0].split("\t") == ["mcp.fake.add", "reads idempotent", "Add two numbers"]
    assert "cannot find its settings" in done.stderr
    assert done.returncode == 5
    assert one.returncode == 0
    assert json.loads(one.stdout)[0]["tools"][0]["input_schema"]["properties"]["a"] == {"type": "integer"}


def test_a_call_prints_what_the_tool_returns(machine: Shell) -> None:
    done = machine.run("mcp", "call", "fake", "add", '{"a": 1}', "--arg", "b=41")
    as_json = machine.run("mcp", "call", "fake", "add", '{"a": 1, "b": 2}', "--json")

    assert (done.stdout, done.returncode) == ("42\n", 0)
    assert json.loads(as_json.stdout)["data"] == {"total": 3}


def test_a_tool_that_fails_is_exit_code_1_and_a_refusal_that_of_a_service(machine: Shell) -> None:
    failed = machine.run("mcp", "call", "fake", "fail")
    refused = machine.run("mcp", "call", "fake", "nothing")
    wrong = machine.run("mcp", "call", "fake", "add", "[1]")

    assert (failed.stdout, failed.returncode) == ("no such file\n", 1)
    assert (refused.returncode, "refused `nothing`" in refused.stderr) == (5, True)
    assert (wrong.returncode, "must be a JSON object" in wrong.stderr) == (2, True)


def test_a_credential_that_a_server_says_again_is_masked(machine: Shell) -> None:
    machine.environ["MY_TOKEN"] = token = "tok-8f2Qx71LmZ0pR4"
    said = machine.run("mcp", "call", "fake", "echo", json.dumps({"text": token}))
    refused = machine.run("mcp", "call", "fake", token)

    assert (said.returncode, refused.returncode) == (0, 5)
    assert "[credential]" in said.stdout
    assert "unknown tool [credential]" in refused.stderr
    assert token not in said.stdout + said.stderr + refused.stdout + refused.stderr


def test_data_that_is_nested_too_deep_is_left_out(machine: Shell) -> None:
    done = machine.run("mcp", "call", "fake", "deep", "--json")

    assert (done.returncode, json.loads(done.stdout)["data"]) == (0, None)
    assert json.loads(done.stdout)["left_out"] == ["structured content that is nested more than 100 deep"]


def test_doctor_says_which_servers_work(machine: Shell) -> None:
    done = machine.run("mcp", "doctor")

    assert done.stdout.startswith("fake (fake 7): 3 tools, protocol 2026-07-28, ")
    assert "`broken` ended (exit code 2): cannot find its settings" in done.stderr
    assert done.returncode == 5


def test_an_unknown_name_gets_the_nearest_one(machine: Shell) -> None:
    done = machine.run("mcp", "tools", "fak")

    assert "no MCP server is called `fak`" in done.stderr
    assert "`fake`" in done.stderr


def test_without_servers_it_says_how_one_is_configured(bare: Shell) -> None:
    done = bare.run("mcp", "list")

    assert (done.stdout, done.returncode) == ("", 0)
    assert "mcp_servers:" in done.stderr


def test_a_projects_server_does_nothing_until_it_is_trusted(machine: Shell) -> None:
    project = machine.cwd / ".llm-orc"
    project.mkdir(parents=True, exist_ok=True)
    (project / "config.yaml").write_text(json.dumps({"mcp_servers": {"theirs": {"command": SERVER}}}))

    listed = machine.run("mcp", "list")
    called = machine.run("mcp", "call", "theirs", "add", "{}")

    assert "theirs" not in listed.stdout
    assert "no effect: `theirs`" in listed.stderr
    assert called.returncode == 4
    assert "llm-orc trust" in called.stderr


def test_a_key_in_the_file_is_refused(bare: Shell) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        json.dumps({"mcp_servers": {"x": {"command": ["x"], "env": {"GITHUB_TOKEN": "ghp_12345"}}}})
    )

    done = bare.run("mcp", "list")

    assert done.returncode == 3
    assert "ghp_12345" not in done.stderr
    assert "passed on from your environment" in done.stderr
