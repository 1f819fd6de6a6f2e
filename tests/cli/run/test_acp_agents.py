"""Agents of the Agent Client Protocol as providers: by a row, or described in the configuration by their command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Shell
from tests.fakes.acp_agent import install, seen


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The stand-in is there as `acp-agent` and as `agent`, which is Cursor's command."""
    home = install(tmp_path / "programs")
    (home / "bin" / "agent").symlink_to(home / "bin" / "acp-agent")
    return home


@pytest.fixture
def own_shell(tmp_path: Path, programs: Path) -> Shell:
    """A home where nothing is set up and no local server answers."""
    shell = Shell(tmp_path / "own-home", tmp_path / "own-project", {})
    shell.home.mkdir()
    shell.cwd.mkdir()
    shell.environ["PATH"] = str(programs / "bin")
    return shell


def describe(shell: Shell, command: object = ("acp-agent", "acp"), **more: str) -> None:
    command = list(command) if isinstance(command, tuple) else command
    nothing = {"base_url": "http://127.0.0.1:9/v1"}
    shell.config.parent.mkdir(parents=True)
    shell.config.write_text(
        yaml.safe_dump({"providers": {"mine": {"acp_command": command, **more}, "ollama": nothing}})
    )


def ensemble(shell: Shell, provider: str | None) -> str:
    agent = {"name": "a", "system_prompt": "Be brief.", **({"provider": provider} if provider else {})}
    path = shell.cwd / "one.yaml"
    path.write_text(yaml.safe_dump({"name": "one", "agents": [agent]}))
    return str(path)


def test_one_that_the_configuration_describes_answers(own_shell: Shell, programs: Path) -> None:
    describe(own_shell, billing="local")

    ran = own_shell.run("invoke", ensemble(own_shell, "mine"), "--input", "hello", "--output-format", "json")

    agent = json.loads(ran.stdout)["results"]["a"]
    assert (agent["response"], agent["access"]["billing"]) == ("answer to hello", "local")
    assert [m["method"] for m in seen(programs)] == ["initialize", "session/new", "session/prompt"]


def test_a_plan_with_credits_pays_unless_the_configuration_says_otherwise(own_shell: Shell) -> None:
    describe(own_shell)

    refused = own_shell.run("invoke", ensemble(own_shell, "mine"), "--input", "hello")
    told = own_shell.run("explain", ensemble(own_shell, "mine"), "--allow-metered")

    assert refused.returncode == 4
    assert "providers.mine.allow_plan_credits: true" in refused.stderr
    assert "plan-credits" in told.stdout, told.stderr


def test_a_row_is_used_by_its_name_and_never_by_itself(own_shell: Shell) -> None:
    describe(own_shell, billing="local")
    named = own_shell.run("invoke", ensemble(own_shell, "cursor-cli"), "--input", "hello", "--allow-metered")
    unnamed = own_shell.run("invoke", ensemble(own_shell, None), "--input", "hello")

    assert "answer to hello" in named.stdout, named.stderr
    assert unnamed.returncode == 4
    assert "no model can be reached" in unnamed.stderr


def test_status_lists_it_and_starts_nothing(own_shell: Shell, programs: Path) -> None:
    describe(own_shell)

    told = own_shell.run("auth", "status", "mine").stdout

    assert "plan-credits" in told
    assert "does not report its login" in told
    assert seen(programs) == []


def test_a_project_that_is_not_trusted_names_no_command(own_shell: Shell, programs: Path) -> None:
    own = own_shell.cwd / ".llm-orc"
    own.mkdir()
    theirs = {"providers": {"theirs": {"acp_command": ["acp-agent"], "billing": "local"}}}
    (own / "config.yaml").write_text(yaml.safe_dump(theirs))

    ran = own_shell.run("invoke", ensemble(own_shell, "theirs"), "--input", "hello")

    assert ran.returncode in {3, 4}
    assert "trust" in ran.stderr
    assert seen(programs) == []


@pytest.mark.parametrize("command", ["agent acp", [], [""], [1]])
def test_a_command_that_is_no_list_of_words_is_an_error_with_its_place(own_shell: Shell, command: object) -> None:
    describe(own_shell, command)

    told = own_shell.run("check", ensemble(own_shell, "mine"))

    assert told.returncode == 3
    assert "`acp_command` must be a list" in told.stderr
