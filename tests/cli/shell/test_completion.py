"""Completion as people meet it: in bash, zsh and fish themselves, and what each of them is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import PROGRAM, Shell

PATH = f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"needs {shell}")


def in_bash(shell: Shell, line: str) -> list[str]:
    """Press Tab twice at the end of the line; return the line as it then stands, and what is offered below."""
    start = f"source <({PROGRAM} completion bash); PS1='$ '; bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'"
    return _pressed(shell, ["bash", "--norc", "--noprofile", "-i"], start, line)


def in_zsh(shell: Shell, line: str) -> list[str]:
    start = f"autoload -U compinit; compinit -u; source <({PROGRAM} completion zsh); PS1='$ '; unsetopt beep; zstyle ':completion:*' list-grouped no"
    return _pressed(shell, ["zsh", "-f", "-i"], start, line)


def _pressed(shell: Shell, program: list[str], start: str, line: str) -> list[str]:
    environ = shell.environ | {"PATH": PATH, "TERM": "dumb", "COLUMNS": "200"}
    child = pexpect.spawn(
        program[0],
        program[1:],
        cwd=str(shell.cwd),
        env=environ,
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )
    child.sendline(f"{start}; echo READY''NOW")
    child.expect("READYNOW")
    child.expect_exact("$ ")
    child.send(f"{line}\t")
    child.send("\x01echo '\x05'; echo DO''NE\r")  # to the start and the end of the line: quote it whole
    child.expect("DONE")
    seen: str = child.before
    child.close(force=True)
    return seen.split()


def in_fish(shell: Shell, line: str) -> dict[str, str]:
    """What fish would offer, with the descriptions."""
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"{PROGRAM} completion fish | source; complete -C '{line}'"],
        cwd=shell.cwd,
        env=shell.environ | {"PATH": PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return {name: text for name, _, text in (row.partition("\t") for row in done.stdout.splitlines())}


@needs("bash")
def test_bash_completes_behind_a_colon(shell: Shell) -> None:
    assert "panel:analyst" in in_bash(shell, "llm-orc chat panel:an")
    assert {"analyst", "lawyer", "chair"} <= set(in_bash(shell, "llm-orc chat panel:"))


@needs("bash")
def test_bash_completes_names_with_spaces_files_and_option_values(shell: Shell) -> None:
    shell.ensemble("two words", "name: two words\nagents: [{name: a, model_profile: default}]\n")
    (shell.cwd / "question.txt").write_text("Why?")

    assert r"two\ words" in " ".join(in_bash(shell, "llm-orc invoke tw"))
    assert "question.txt" in in_bash(shell, "llm-orc invoke panel -f que")
    assert "--output-format=markdown" in in_bash(shell, "llm-orc invoke panel --output-format=mark")


@needs("bash")
def test_what_is_unknown_puts_nothing_on_the_screen(shell: Shell) -> None:
    seen = " ".join(in_bash(shell, "llm-orc nosuch thing "))

    assert "error" not in seen
    assert "Usage" not in seen


@needs("zsh")
def test_zsh_completes_behind_a_colon_and_offers_descriptions(shell: Shell) -> None:
    offered = " ".join(in_zsh(shell, "llm-orc chat panel:"))

    assert "panel:analyst" in offered
    assert "one agent of it, alone" in offered


@needs("fish")
def test_fish_offers_names_with_whole_descriptions(shell: Shell) -> None:
    shell.ensemble(
        "listed", "name: listed\ndescription: one, two, three\nagents: [{name: a, model_profile: default}]\n"
    )

    assert in_fish(shell, "llm-orc invoke lis")["listed"] == "one, two, three"
    assert set(in_fish(shell, "llm-orc chat panel:")) == {"panel:analyst", "panel:lawyer", "panel:chair"}
    assert set(in_fish(shell, "llm-orc invoke panel --output-format=js")) == {
        "--output-format=json",
        "--output-format=jsonl",
    }
    assert in_fish(shell, "llm-orc nosuch thing ") == {}


def asked(shell: Shell, line: str) -> list[str]:
    """What bash is told, at the end of the line."""
    shell.environ |= {"_LLM_ORC_COMPLETE": "bash_complete", "_LLM_ORC_LINE": line, "_LLM_ORC_BREAKS": " =:"}
    done = shell.run()
    del shell.environ["_LLM_ORC_COMPLETE"]
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "llm-orc nosuch ",
        "llm-orc runs nosuch --x ",
        "llm-orc -C /no/such/folder invoke zzz",
        "llm-orc invoke 'pan",
        "llm-orc runs fork nosuchrun --from ",
        "llm-orc --version zzz",
        "llm-orc invoke zzz --output-format nonsense --max-cost abc ",
    ],
)
def test_a_wrong_line_gives_no_error(shell: Shell, line: str) -> None:
    assert [answer for answer in asked(shell, line) if answer != "plain,panel"] == []


def test_the_directory_of_the_line_is_where_names_and_files_are_looked_for(shell: Shell, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / ".llm-orc" / "ensembles").mkdir(parents=True)
    (other / ".llm-orc" / "ensembles" / "theirs.yaml").write_text("name: theirs\nagents: [{name: a}]\n")
    (other / "task.txt").write_text("Why?")

    assert asked(shell, f"llm-orc -C {other} invoke the") == ["plain,theirs"]
    assert asked(shell, f"llm-orc --directory={other} invoke the") == ["plain,theirs"]
    assert asked(shell, f"llm-orc -C {other} invoke theirs -f ta") == ["path,task.txt"]
    assert asked(shell, "llm-orc invoke panel -f ta") == ["file,ta"]


def test_ensembles_are_names_and_yaml_files(shell: Shell) -> None:
    (shell.cwd / "pages.yaml").write_text("name: x")
    (shell.cwd / "pages.txt").write_text("no ensemble")
    (shell.cwd / "parts").mkdir()
    (shell.cwd / "parts" / "one.yml").write_text("name: x")

    assert asked(shell, "llm-orc check pa") == ["plain,panel", "path,pages.yaml", "path,parts/"]
    assert asked(shell, "llm-orc check panel parts/") == ["path,parts/one.yml"]
    assert asked(shell, "llm-orc check .llm-orc/ens") == ["path,.llm-orc/ensembles/"]


def test_the_agents_of_the_run_are_offered_to_fork_from(shell: Shell) -> None:
    shell.run("invoke", "panel", "--quiet")
    run = json.loads(shell.run("runs", "list", "--json").stdout)[0]["run_id"]

    everyone = ["plain,analyst", "plain,lawyer", "plain,chair"]
    assert asked(shell, f"llm-orc runs fork {run} --from ") == everyone
    assert asked(shell, "llm-orc runs fork --from ch") == ["plain,chair"]
    assert asked(shell, "llm-orc runs show last --agent la") == ["plain,lawyer"]


def test_help_completes_commands_and_those_of_groups(shell: Shell) -> None:
    assert asked(shell, "llm-orc help che") == ["plain,check"]
    assert asked(shell, "llm-orc help auth ref") == ["plain,refresh"]
