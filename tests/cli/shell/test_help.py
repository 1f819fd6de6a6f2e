"""Help and version in every form that people type."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from llm_orc.cli.table import COMMANDS, LINKS
from tests.cli.conftest import Shell

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (("help",), ("--help",)),
        (("help", "check"), ("check", "--help")),
        (("help", "auth"), ("auth", "--help")),
        (("help", "auth", "add"), ("auth", "add", "-h")),
        (("help", "--help"), ("help", "-h")),
        (("-V",), ("--version",)),
        (("version",), ("--version",)),
        (("-C", ".", "-V"), ("--version",)),
    ],
)
def test_both_say_the_same(bare: Shell, asked: tuple[str, ...], meant: tuple[str, ...]) -> None:
    first, second = bare.run(*asked), bare.run(*meant)

    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert first.stdout


def test_help_for_no_command_says_which_is_near(bare: Shell) -> None:
    unknown, too_far = bare.run("help", "chek"), bare.run("help", "check", "panel")

    assert (unknown.returncode, too_far.returncode) == (2, 2)
    assert "Did you mean `check`?" in unknown.stderr
    assert "`check` is no group" in too_far.stderr


def test_the_version_for_programs(bare: Shell) -> None:
    document = json.loads(bare.run("version", "--json").stdout)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert document["version"] == project["version"]
    assert set(document) == {"version", "python", "system"}


def test_the_help_links_to_what_the_package_names_and_to_nothing_else(bare: Shell) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert dict(LINKS) == project.get("urls", {})
    assert all(address in bare.run("--help").stdout for _, address in LINKS)


def test_the_man_page_is_installed_and_has_every_command() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    page = (ROOT / "man" / "llm-orc.1").read_text().replace("\\-", "-")

    assert wheel["shared-data"] == {"man/llm-orc.1": "share/man/man1/llm-orc.1"}
    assert [row.name for row in COMMANDS if f"\n\\fB{row.name}\\fR\n" not in page] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_man_page_is_correct_roff() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", str(ROOT / "man" / "llm-orc.1")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
