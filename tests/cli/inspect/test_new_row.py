"""A setting and a key of ensembles that a program adds with one row each, from outside of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

PROGRAM = """
import sys
from llm_orc.cli.main import main
from llm_orc.ensembles.fields import ENSEMBLE_FIELDS
from llm_orc.settings.field import Field
from llm_orc.settings.fields import SECTIONS
from llm_orc.storage.field_types import choice, text, whole_number

SECTIONS["runs"].fields["made_up"] = Field(
    whole_number(1), "How much is made up.", default=5, variable="LLM_ORC_MADE_UP"
)
ENSEMBLE_FIELDS["mood"] = Field(choice("calm", "wild"), "The mood that all agents are in.", "counts", default="calm")
sys.exit(main(sys.argv[1:]))
"""


def run(shell: Shell, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=shell.cwd,
        env=shell.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def shown(shell: Shell, **environ: str) -> tuple[object, str, int | None]:
    [found] = json.loads(run(shell, "config", "show", "runs.made_up", "--json", **environ).stdout)
    return found["value"], found["layer"], found["line"]


def test_a_setting_is_read_from_each_layer_and_shown_with_its_origin(shell: Shell) -> None:
    assert shown(shell) == (5, "default", None)
    shell.config.write_text("runs:\n  made_up: 7\n")
    assert shown(shell) == (7, "user", 2)
    assert shown(shell, LLM_ORC_MADE_UP="9") == (9, "environment", None)


def test_an_untrusted_project_can_t_set_it(shell: Shell) -> None:
    (shell.cwd / ".llm-orc" / "config.yaml").write_text("runs: {made_up: 8}\n")

    assert shown(shell) == (5, "default", None)
    assert "`runs.made_up`" in run(shell, "config", "show").stderr


@pytest.mark.parametrize(("written", "message"), [("0", "`made_up` must be at least 1"), ("x", "a whole number")])
def test_a_wrong_value_is_an_error(shell: Shell, written: str, message: str) -> None:
    shell.config.write_text(f"runs: {{made_up: {written}}}\n")

    done = run(shell, "config", "show")

    assert done.returncode == 3
    assert message in done.stderr


def test_it_is_in_the_schema_and_completed(shell: Shell) -> None:
    schema = json.loads(run(shell, "schema", "config").stdout)
    words = {"_LLM_ORC_COMPLETE": "bash_complete", "COMP_WORDS": "llm-orc config show runs.ma", "COMP_CWORD": "3"}

    completed = run(shell, **words).stdout.splitlines()

    assert schema["properties"]["runs"]["properties"]["made_up"] == {
        "description": "How much is made up.",
        "type": "integer",
        "minimum": 1,
        "default": 5,
    }
    assert "plain,runs.made_up" in completed


def test_a_key_of_ensembles_is_checked_and_in_the_schema(shell: Shell) -> None:
    file = shell.cwd / "one.yaml"
    file.write_text("name: one\nmood: wild\nagents: [{name: a, model_profile: default}]\n")
    good = run(shell, "check", str(file))
    file.write_text("name: one\nmood: mild\nagents: [{name: a, model_profile: default}]\n")
    bad = run(shell, "check", str(file))
    schema = json.loads(run(shell, "schema", "ensemble").stdout)

    assert good.returncode == 0, good.stderr
    assert "mood" not in good.stdout + good.stderr
    assert bad.returncode == 3
    assert "`mood` must be `calm` or `wild`" in bad.stdout + bad.stderr
    assert schema["properties"]["mood"]["enum"] == ["calm", "wild"]
