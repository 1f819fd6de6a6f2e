"""The user's own `copilot` as a provider: used only with a yes to its plan's credits, and never by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from llm_orc.formats.json_result import schema
from tests.cli.conftest import Shell
from tests.fakes.copilot import install, seen


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return install(tmp_path / "programs")


@pytest.fixture
def own_shell(tmp_path: Path, programs: Path) -> Shell:
    """A home where nothing is set up and no local server answers."""
    shell = Shell(tmp_path / "own-home", tmp_path / "own-project", {})
    shell.home.mkdir()
    shell.cwd.mkdir()
    shell.environ["PATH"] = str(programs / "bin")
    settle(shell)
    return shell


def settle(shell: Shell, **copilot: bool) -> None:
    providers = {"ollama": {"base_url": "http://127.0.0.1:9/v1"}, **({"copilot-cli": copilot} if copilot else {})}
    shell.config.parent.mkdir(parents=True, exist_ok=True)
    shell.config.write_text(yaml.safe_dump({"providers": providers}))


def ensemble(shell: Shell, provider: str | None) -> str:
    agent = {"name": "a", "system_prompt": "Be brief.", **({"provider": provider} if provider else {})}
    path = shell.cwd / "one.yaml"
    path.write_text(yaml.safe_dump({"name": "one", "agents": [agent]}))
    return str(path)


def models_asked(programs: Path) -> int:
    return sum(message.get("method") == "session.send" for message in seen(programs))


def test_its_plan_passes_into_credits_so_it_needs_a_yes(own_shell: Shell, programs: Path) -> None:
    path = ensemble(own_shell, "copilot-cli")

    refused = own_shell.run("invoke", path, "--input", "hello")
    asked_before = models_asked(programs)
    settle(own_shell, allow_plan_credits=True)
    ran = own_shell.run("invoke", path, "--input", "hello", "--output-format", "json")

    assert refused.returncode == 4
    assert "allow_plan_credits: true" in refused.stderr
    assert asked_before == 0
    result = json.loads(ran.stdout)
    Draft202012Validator(json.loads(schema())).validate(result)
    agent = result["results"]["a"]
    assert (agent["response"], agent["access"]["billing"]) == ("answer to hello", "plan-credits")


def test_it_is_never_used_by_itself(own_shell: Shell, programs: Path) -> None:
    ran = own_shell.run("invoke", ensemble(own_shell, None), "--input", "hello")

    assert ran.returncode == 4
    assert models_asked(programs) == 0


def test_status_says_how_it_is_logged_in_and_asks_no_model(own_shell: Shell, programs: Path) -> None:
    told = own_shell.run("auth", "status", "copilot-cli").stdout

    assert "Copilot plan" in told
    assert "plan-credits" in told
    assert models_asked(programs) == 0


def test_logged_out_it_names_the_command(own_shell: Shell, programs: Path) -> None:
    (programs / "flags").write_text("logged-out")
    settle(own_shell, allow_plan_credits=True)

    ran = own_shell.run("invoke", ensemble(own_shell, "copilot-cli"), "--input", "hello")

    assert ran.returncode == 4
    assert "`copilot` is not logged in" in ran.stderr
    assert "copilot login" in ran.stderr
