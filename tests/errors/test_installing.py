"""What the hints of errors say to install: the same program, from where this one came, with the tool that installed it."""

from __future__ import annotations

import json
import shlex
import subprocess
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from llm_orc.errors.installing import Installation, adding, installation

PYTHON = "/opt/a place/python"


def installed(tmp_path: Path, origin: object, marker: str | None = None) -> Installation:
    """Read what an installer leaves behind."""
    metadata = tmp_path / "llm_orc-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: llm-orc\nVersion: 0.1.0\n")
    if origin is not None:
        (metadata / "direct_url.json").write_text(json.dumps(origin))
    if marker is not None:
        (tmp_path / marker).write_text("")
    return installation(PathDistribution(metadata), str(tmp_path))


EDITABLE = {"url": "file:///src/llm%20orc", "dir_info": {"editable": True}}
FOLDER = {"url": "file:///src/llm-orc", "dir_info": {}}
REPOSITORY = {
    "url": "https://git.example/llm-orc",
    "vcs_info": {"vcs": "git", "requested_revision": "v0.1.0", "commit_id": "abc"},
}
ARCHIVE = {"url": "file:///dist/llm_orc-0.1.0-py3-none-any.whl", "archive_info": {}}


@pytest.mark.parametrize(
    ("origin", "marker", "adds", "upgrades"),
    [
        (
            EDITABLE,
            "uv-receipt.toml",
            "uv tool install --editable '/src/llm orc[batch]'",
            "uv tool upgrade llm-orc",
        ),
        (FOLDER, "uv-receipt.toml", "uv tool install '/src/llm-orc[batch]'", "uv tool upgrade llm-orc"),
        (None, "uv-receipt.toml", "uv tool install 'llm-orc[batch]'", "uv tool upgrade llm-orc"),
        (FOLDER, "pipx_metadata.json", "pipx install --force '/src/llm-orc[batch]'", "pipx upgrade llm-orc"),
        (
            REPOSITORY,
            "pipx_metadata.json",
            "pipx install --force 'llm-orc[batch] @ git+https://git.example/llm-orc@v0.1.0'",
            "pipx upgrade llm-orc",
        ),
        (
            ARCHIVE,
            "uv-receipt.toml",
            "uv tool install 'llm-orc[batch] @ file:///dist/llm_orc-0.1.0-py3-none-any.whl'",
            "uv tool upgrade llm-orc",
        ),
    ],
)
def test_the_command_is_for_the_tool_that_installed_it(
    tmp_path: Path, origin: object, marker: str, adds: str, upgrades: str
) -> None:
    found = installed(tmp_path, origin, marker)

    assert (found.adding("batch"), found.upgrading()) == (adds, upgrades)


def test_pip_and_uv_get_the_interpreter_that_runs_the_program() -> None:
    by_pip = Installation("pip", "/src/llm-orc", is_folder=True, is_editable=True, python=PYTHON)
    by_uv = Installation("uv pip", None, python=PYTHON)

    assert shlex.split(by_pip.adding("batch")) == [PYTHON, "-m", "pip", "install", "-e", "/src/llm-orc[batch]"]
    assert shlex.split(by_uv.adding("keyring")) == ["uv", "pip", "install", "--python", PYTHON, "llm-orc[keyring]"]


def test_only_what_came_from_an_index_is_asked_for_by_name_alone(tmp_path: Path) -> None:
    words = shlex.split(installed(tmp_path, FOLDER).adding("batch"))

    assert words[-1] == "/src/llm-orc[batch]"


def test_a_clone_is_upgraded_by_its_own_history(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    clone = Installation("pip", str(tmp_path), is_folder=True, is_editable=True)

    assert clone.upgrading() == f"git -C {tmp_path} pull"


@pytest.mark.slow  # builds the package
def test_the_command_for_this_very_installation_works() -> None:
    command = shlex.split(adding("batch"))
    at = command.index("install") + 1

    done = subprocess.run(
        [*command[:at], "--dry-run", "--no-deps", *command[at:]], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
