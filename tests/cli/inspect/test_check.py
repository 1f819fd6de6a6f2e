"""`llm-orc check`: the files that it is given, what it shows of each problem, and how it ends."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal

CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
ROOT = Path(__file__).parents[3]
GOOD = "name: {}\nagents: [{{name: a, provider: ollama, model: m}}]\n"
BAD = "name: bad\nagents:\n  - {name: a, provider: ollama, model: m, promt: hello}\n"
OUT_OF_REACH = "name: one\nagents: [{name: a, provider: anthropic-api, model: m}]\n"


def test_a_problem_is_shown_as_compilers_do_with_a_caret_below_its_place(bare: Shell) -> None:
    bare.ensemble("bad", BAD)

    done = bare.run("check", "bad")

    place, gutter, line, caret, hint, *_ = done.stdout.splitlines()
    assert done.returncode == 3
    assert place == ".llm-orc/ensembles/bad.yaml:3:43: agent `a` has no key `promt`"
    assert (gutter, line) == ("  |", "3 |   - {name: a, provider: ollama, model: m, promt: hello}")
    assert caret.index("^") == line.index("promt")
    assert hint.startswith("  = hint: ")
    assert done.stdout.endswith("\nFound 1 problem in 1 file.\n")
    assert done.stderr == ""


def test_every_command_shows_the_problems_of_files_in_this_way(bare: Shell) -> None:
    bare.ensemble("bad", BAD)
    invoked = bare.run("invoke", "bad", "--input", "hello")
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text("runs:\n  max_concurrent: many\n")
    listed, in_json = bare.run("list-profiles"), json.loads(bare.run("list-profiles", "--json").stdout)

    for done, place, line in (
        (invoked, ".llm-orc/ensembles/bad.yaml:3:43: ", "\n3 |   - {name: a, provider: ollama, model: m, promt"),
        (
            listed,
            "~/.config/llm-orc/config.yaml:2:19: ",
            "\n2 |   max_concurrent: many\n  |                   ^\n",
        ),
    ):
        assert done.returncode == 3
        assert done.stderr.startswith("error: ")
        assert f"\n{place}" in done.stderr
        assert line in done.stderr
    assert [problem["line"] for problem in in_json["error"]["problems"]] == [2]


def test_what_can_mislead_or_is_secret_is_not_shown_as_it_stands(bare: Shell) -> None:
    bare.ensemble(
        "odd",
        "name: odd\nagents:\n"
        '  - {name: a, provider: ollama, model: m, système: "\u202e\u200b", promt: x}\n'
        "  - {name: b, provider: ollama, model: m, api_key: zyxw-987654321, promt: x}\n"
        "  - {name: c, provider: ollama, model: m, note: sk-ant-api03-abcdefgh12345678, promt: x}\n",
    )

    shown = bare.run("check", "odd").stdout

    assert "\u202e" not in shown
    assert "\\u202e\\u200b" in shown
    assert "987654321" not in shown
    assert "abcdefgh12345678" not in shown
    for line, below in re.findall(r"\n\d \| (.*)\n  \| (.*\^)", shown):
        assert len(line) > len(below) - 1
        assert line[len(below) - 1] in "spna"  # système, promt, note, api_key: the key, though a mask precedes it


@pytest.mark.parametrize(
    "settings",
    [
        "providers: {x: {api_key_env: 9f8e7d6c5b4a}}",
        "providers: {x: {api_key: 9f8e7d6c5b4a}}",
        "network: {token: [9f8e7d6c5b4a}",
    ],
)
def test_a_key_in_a_settings_file_is_not_repeated(bare: Shell, settings: str) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(settings)

    done = bare.run("check", "panel")

    assert "~/.config/llm-orc/config.yaml:1:" in done.stderr
    assert "9f8e7d6c5b4a" not in done.stderr + done.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_long_line_is_cut_around_the_caret(bare: Shell, columns: int) -> None:
    filling = "word " * 100
    bare.ensemble(
        "long", f'agents: [{{name: a, description: "{filling}", promt: x, system_prompt: "{filling}"}}]\n'
    )

    seen = CONTROL_SEQUENCE.sub("", Terminal(bare, "check", "long", columns=columns).to_the_end())

    shown = [line for line in seen.splitlines() if line.startswith(("1 |", "  |"))]
    assert shown
    assert all(len(line) <= columns for line in shown)
    line, caret = next((a, b) for a, b in itertools.pairwise(shown) if "promt" in a)
    assert caret.index("^") == line.index("promt")
    assert "…" in line


def test_tabs_and_wide_characters_keep_the_caret_in_place(bare: Shell) -> None:
    bare.ensemble("wide", 'name: wide\nagents:\n  - {name: "会议",\tprovider: ollama, model: m, promt: x}\n')

    shown = bare.run("check", "wide").stdout

    line, caret = re.findall(r"3 \| (.*)\n  \| (.*)", shown)[0]
    assert "\t" not in line
    assert caret.index("^") == line.index("promt") + len("会议")  # each takes two cells


def test_several_names_files_and_folders_are_checked_at_once(bare: Shell) -> None:
    bare.ensemble("bad", BAD)
    bare.ensemble("good", GOOD.format("good"))
    folder = bare.cwd / "more" / "deep"
    folder.mkdir(parents=True)
    (folder / "other.yml").write_text(GOOD.format("other").replace("model: m", "modle: m"))
    (folder / "compose.yaml").write_text("services: {}\n")
    (bare.cwd / ".llm-orc" / "config.yaml").write_text("runs: {max_concurrent: 3}\n")

    done = bare.run("check", "--offline", "good", "more", ".llm-orc/ensembles/bad.yaml", "nobody")
    everything = bare.run("check", "--offline", ".")

    assert done.returncode == everything.returncode == 3
    assert "more/deep/other.yml:2:" in done.stdout
    assert ".llm-orc/ensembles/bad.yaml:3:" in done.stdout
    assert "error: no ensemble is called `nobody`" in done.stdout
    assert "Found 3 problems in 2 files.\n" in done.stdout
    assert "Found 2 problems in 2 files.\n" in everything.stdout


def test_without_a_name_the_ensembles_here_are_checked(bare: Shell) -> None:
    nothing = bare.run("check")
    bare.ensemble("one", GOOD.format("one"))
    bare.own_ensemble("two", GOOD.format("two"))
    done = bare.run("check", "--offline")

    assert nothing.returncode == 2
    assert "llm-orc new" in nothing.stderr
    assert done.stdout == "All 2 ensembles are good. Access was not looked at.\n"
    assert done.returncode == 0


def test_a_folder_without_ensembles_is_an_error_not_a_success(bare: Shell) -> None:
    (bare.cwd / "empty").mkdir()

    done = bare.run("check", "empty")

    assert done.returncode == 3
    assert "the folder `empty` has no ensembles" in done.stderr


def test_a_good_file_is_good_with_and_without_access(bare: Shell) -> None:
    bare.ensemble("one", OUT_OF_REACH)

    online, offline = bare.run("check", "one"), bare.run("check", "one", "--offline")
    document = json.loads(bare.run("check", "one", "--json").stdout)
    unseen = json.loads(bare.run("check", "one", "--offline", "--json").stdout)

    assert online.returncode == offline.returncode == 0
    assert "no access here: " in online.stdout
    assert online.stdout.endswith("Status: good, but no access here\n")
    assert offline.stdout.endswith("Status: good; access was not looked at\n")
    assert (document["is_good"], document["ensembles"][0]["can_run"]) == (True, False)
    assert document["ensembles"][0]["error"]["code"] == "not_logged_in"
    assert (unseen["is_good"], unseen["ensembles"][0]["can_run"]) == (True, None)


def test_offline_starts_no_program_and_takes_an_untrusted_project_at_its_word(bare: Shell, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("claude", "codex", "gemini"):
        (programs / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        (programs / name).chmod(0o755)
    bare.environ["PATH"] = f"{programs}{os.pathsep}{bare.environ['PATH']}"
    bare.ensemble(
        "one", "name: one\nagents: [{name: a, provider: acme, model: m}, {name: b, provider: claude-cli}]\n"
    )
    (bare.cwd / ".llm-orc" / "config.yaml").write_text(
        "providers:\n  acme: {base_url: 'https://acme.example/v1', dialect: openai-chat}\n"
    )

    done = bare.run("check", "one", "--offline")

    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "started").exists()
    assert bare.run("check", "one").returncode == 3  # here it needs trust first


def test_the_hook_for_pre_commit_checks_the_files_that_it_is_given(bare: Shell) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    bare.ensemble("bad", BAD)
    bare.ensemble("good", GOOD.format("good"))

    assert re.search(hook["files"], ".llm-orc/ensembles/bad.yaml")
    assert re.search(hook["files"], "team/.llm-orc/ensembles/deep/good.yml")
    assert not re.search(hook["files"], ".llm-orc/config.yaml")
    program, *arguments = hook["entry"].split()
    assert program == "llm-orc"
    assert bare.run(*arguments, ".llm-orc/ensembles/good.yaml").returncode == 0
    assert bare.run(*arguments, ".llm-orc/ensembles/good.yaml", ".llm-orc/ensembles/bad.yaml").returncode == 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pre-commit") is None, reason="needs pre-commit")
def test_pre_commit_refuses_a_commit_with_a_bad_ensemble(bare: Shell) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    hook["language"] = "system"  # the program of these tests, instead of one that is installed for the hook
    config = {"repos": [{"repo": "local", "hooks": [hook]}]}
    (bare.cwd / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    bare.ensemble("good", GOOD.format("good"))
    environ = bare.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{bare.environ['PATH']}"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=bare.cwd, env=environ, capture_output=True, text=True, check=False)

    run("git", "init", "-q")
    run("git", "add", "-A")
    good = run("pre-commit", "run")
    bare.ensemble("bad", BAD)
    run("git", "add", "-A")
    bad = run("pre-commit", "run")

    assert good.returncode == 0, good.stdout + good.stderr
    assert "Passed" in good.stdout
    assert bad.returncode != 0
    assert ".llm-orc/ensembles/bad.yaml:3:43: agent `a` has no key `promt`" in bad.stdout


def test_what_the_settings_have_that_is_ignored_is_a_warning(bare: Shell) -> None:
    bare.ensemble("good", "name: good\nagents:\n  - {name: a, model_profile: quick}\n")
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        "model_profiles:\n  quick:\n    description: For short questions\n    provider: ollama\n    model: m\n    colour: red\n"
        "network_: {}\n"
    )

    shown, in_json = bare.run("check", "good", "--offline"), bare.run("check", "good", "--offline", "--json")

    assert shown.returncode == 0
    assert (
        "~/.config/llm-orc/config.yaml:6:5: warning: `model_profiles.quick` has the key `colour`" in shown.stdout
    )
    assert "~/.config/llm-orc/config.yaml:7:1: warning: `network_` is not a setting" in shown.stdout
    assert "hint: Did you mean `network`?" in shown.stdout
    assert {warning["line"] for warning in json.loads(in_json.stdout)["warnings"]} == {6, 7}


def test_profiles_are_listed_with_what_they_are_for(bare: Shell) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text("model_profiles:\n  quick: {description: For short questions, provider: ollama}\n")

    listed, in_json = bare.run("list-profiles"), bare.run("list-profiles", "--json")

    rows = {line.split("\t")[0]: line.split("\t") for line in listed.stdout.splitlines()}
    assert rows["quick"][-2:] == ["~/.config/llm-orc/config.yaml:2", "For short questions"]
    assert {one["name"]: one["description"] for one in json.loads(in_json.stdout)} == {
        "default": None,
        "quick": "For short questions",
    }


@pytest.mark.parametrize("options", [(), ("--offline",)])
def test_programs_are_named_without_any_access(bare: Shell, options: tuple[str, ...]) -> None:
    bare.ensemble(
        "counts", 'name: counts\nagents: [{name: count, script: [wc, -w]}, {name: a, prompt: "${count}"}]'
    )

    done = bare.run("check", "counts", *options)

    assert done.returncode == 0
    assert "A run would start:\n  wc -w · agent count\n    a program on this machine\n" in done.stdout
    assert json.loads(bare.run("check", "counts", *options, "--json").stdout)["ensembles"][0]["programs"] != []
