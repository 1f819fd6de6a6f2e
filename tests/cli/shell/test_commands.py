"""The table of commands: complete, instant, and the same words everywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

import click
import pytest

from llm_orc.cli.root import root
from llm_orc.cli.shell.command_group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.cli.table import Row
    from tests.cli.conftest import Shell

HEAVY = {"aiohttp", "pydantic", "rich", "genai_prices", "msgspec", "yaml", "uvloop", "asyncio", "sqlite3"}


def imported_by(*arguments: str) -> set[str]:
    code = (
        "import sys; from llm_orc.cli.main import main; code = main(sys.argv[1:]);"
        " print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *arguments]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(command, env=unmeasured, capture_output=True, text=True, timeout=30, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ()], ids=str)
def test_help_and_version_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    modules = imported_by(*arguments)

    assert "llm_orc.cli.main" in modules
    assert modules & HEAVY == set()
    assert not any(name.startswith(("llm_orc.app", "llm_orc.formats", "llm_orc.providers")) for name in modules)


def test_version_does_not_even_import_click() -> None:
    assert "click" not in imported_by("--version")


def all_rows(group: click.Command = root) -> Iterator[Row]:
    """Yield the rows of the root's table and of every group's."""
    assert isinstance(group, LazyGroup)
    for row in group.rows.values():
        yield row
        command = group.get_command(click.Context(group), row.name)
        if isinstance(command, LazyGroup):
            yield from all_rows(command)


def command_of(row: Row) -> click.Command:
    command: click.Command = import_module(f"llm_orc.cli.{row.module}").command
    return command


@pytest.mark.parametrize("row", [*all_rows()], ids=lambda row: row.module)
def test_each_command_is_in_a_file_of_its_name(row: Row) -> None:
    is_group = isinstance(command_of(row), click.Group)
    path = row.module.removesuffix(".group") if is_group else row.module

    assert row.module.endswith(".group") == is_group
    assert path.rpartition(".")[2] == row.name.replace("-", "_")
    assert row.summary.endswith(".")
    assert command_of(row).help


@pytest.mark.parametrize("row", [*all_rows()], ids=lambda row: row.module)
def test_each_option_says_what_it_does(row: Row) -> None:
    options = [parameter for parameter in command_of(row).params if isinstance(parameter, click.Option)]

    assert all(option.help and option.help.endswith((".", "]")) for option in options)


@pytest.mark.parametrize("group", ["auth", "batch", "config", "conversations", "library", "runs"])
def test_the_help_of_a_group_imports_none_of_its_commands(group: str) -> None:
    modules = imported_by(group, "--help")

    rows = [row for row in all_rows() if row.module.startswith(f"{group}.") and not row.module.endswith(".group")]
    assert f"llm_orc.cli.{group}.group" in modules
    assert modules & {f"llm_orc.cli.{row.module}" for row in rows} == set()


def test_only_the_root_lists_the_common_exit_codes(bare: Shell) -> None:
    def exit_codes(*words: str) -> dict[str, str]:
        shown = bare.run(*words, "--help").stdout.partition("Exit codes")[2]
        return dict(re.findall(r"(?:^|  )(\d+)  (.*?)(?=$|   )", shown, flags=re.MULTILINE))

    assert set(exit_codes()) == {"0", "1", "2", "3", "4", "5", "6", "130", "143"}
    assert exit_codes("invoke") == exit_codes("runs") == exit_codes("auth", "add") == {}
    assert exit_codes("runs", "diff") == {"0": "every answer is the same", "1": "an answer differs"}


def test_version_names_the_installed_distribution(bare: Shell) -> None:
    assert bare.run("--version").stdout == f"llm-orc {version('llm-orc')}\n"


@pytest.mark.parametrize(
    ("words", "near"), [("lst-ensembles", "list-ensembles"), ("runs exprot", "export"), ("auth logut", "logout")]
)
def test_a_mistyped_command_gets_the_nearest(bare: Shell, words: str, near: str) -> None:
    done = bare.run(*words.split())

    assert done.returncode == 2
    assert f"Did you mean `{near}`?" in done.stderr


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(bare: Shell, name: str) -> None:
    done = bare.run("completion", name)

    assert done.returncode == 0
    assert "_LLM_ORC_COMPLETE" in done.stdout


def test_completion_offers_the_ensembles_of_the_project(shell: Shell) -> None:
    shell.environ |= {"_LLM_ORC_COMPLETE": "bash_complete", "COMP_WORDS": "llm-orc invoke pa", "COMP_CWORD": "2"}

    assert shell.run().stdout == "plain,panel\n"


def completed(shell: Shell, words: str, kind: str = "bash") -> list[str]:
    """What the shell would be offered for the last word."""
    count = str(len(words.split(" ")) - 1)
    last = words.rsplit(" ", 1)[-1]
    if kind == "fish":
        shell.environ |= {"COMP_WORDS": words, "COMP_CWORD": last}
    else:
        shell.environ |= {"COMP_WORDS": words, "COMP_CWORD": count}
    shell.environ["_LLM_ORC_COMPLETE"] = f"{kind}_complete"
    lines = shell.run().stdout.splitlines()
    del shell.environ["_LLM_ORC_COMPLETE"]
    if kind == "zsh":
        return [line.replace("\\:", ":") for line in lines[1::3]]  # zsh reads a bare colon as the end of the name
    return [line.split(",")[1].split("\t")[0] for line in lines]


def test_completion_sends_no_escape_sequence_to_the_shell(shell: Shell) -> None:
    shell.ensemble("steers", 'name: steers\ndescription: "\\e]0;owned\\a \\u202e"\nagents: [{name: a}]\n')
    shell.environ |= {"_LLM_ORC_COMPLETE": "fish_complete", "COMP_WORDS": "llm-orc invoke st", "COMP_CWORD": "st"}

    shown = shell.run().stdout

    assert "steers" in shown
    assert "\\x1b]0;owned\\x07 \\u202e" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_completion_knows_the_names_of_everything(shell: Shell, kind: str) -> None:
    shell.run("chat", "--conversation", "taxes", stdin="one\n")
    shell.run("invoke", "panel", "--quiet")
    run = json.loads(shell.run("runs", "list", "--json").stdout)[0]["run_id"]

    assert completed(shell, "llm-orc chat pan", kind) == ["panel", "panel:analyst", "panel:lawyer", "panel:chair"]
    assert completed(shell, "llm-orc chat --model openai-c", kind) == ["openai-compatible"]
    assert completed(shell, "llm-orc chat --conversation ta", kind) == ["taxes"]
    assert completed(shell, "llm-orc conversations show ta", kind) == ["taxes"]
    assert completed(shell, f"llm-orc runs show {run[:8]}", kind) == [run]
    assert completed(shell, "llm-orc new x --from coun", kind) == ["council"]
    assert completed(shell, "llm-orc auth add openai-c", kind) == ["openai-compatible"]


def test_completion_offers_the_commands_of_a_group_in_the_order_of_its_help(shell: Shell) -> None:
    assert completed(shell, "llm-orc runs ") == [
        "list",
        "show",
        "export",
        "approve",
        "reject",
        "answer",
        "delete",
        "prune",
        "retry",
        "fork",
        "diff",
    ]
    assert completed(shell, "llm-orc batch ret") == ["retry-failed"]
    assert completed(shell, "llm-orc auth s") == ["status", "switch"]


def test_completion_stays_silent_where_settings_are_broken(shell: Shell) -> None:
    shell.config.write_text("model_profiles: [", encoding="utf-8")
    shell.environ |= {"_LLM_ORC_COMPLETE": "bash_complete", "COMP_WORDS": "llm-orc invoke pa", "COMP_CWORD": "2"}

    done = shell.run()

    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_lists_are_tables_of_tabs_in_a_pipe_and_json_on_demand(shell: Shell) -> None:
    rows = [line.split("\t") for line in shell.run("list-ensembles").stdout.splitlines()]
    as_json = json.loads(shell.run("list-ensembles", "--json").stdout)
    profiles = json.loads(shell.run("list-profiles", "--json").stdout)

    assert ["panel", "3", "project", "Two analysts and a chair"] in rows
    assert {row[0] for row in rows} == {entry["name"] for entry in as_json}
    assert [(p["name"], p["layer"]) for p in profiles] == [("default", "user")]
    assert profiles[0]["file"] == str(shell.config)


def test_a_broken_file_is_named_and_disturbs_no_other(shell: Shell) -> None:
    path = shell.ensemble("broken", "agents: [")

    done = shell.run("list-ensembles")

    assert done.returncode == 0
    assert "panel\t" in done.stdout
    assert f"warning: {path}" in done.stderr


def test_check_says_what_a_run_would_use_and_spends_nothing(shell: Shell) -> None:
    done = shell.run("check", "panel")

    assert done.returncode == 0
    assert "  1. analyst, lawyer\n  2. chair\n" in done.stdout
    assert "  openai-compatible canned-1 · 3 agents\n" in done.stdout
    assert done.stdout.endswith("Status: good\n")


def test_check_reports_every_problem_with_its_place_and_exit_code_3(shell: Shell) -> None:
    path = shell.ensemble(
        "broken", "name: broken\nagents:\n  - {name: a, depends_on: [b], promt: x}\n  - {name: a}\n"
    )

    text, document = shell.run("check", "broken"), json.loads(shell.run("check", "broken", "--json").stdout)

    assert text.returncode == 3
    assert all(f"{path.relative_to(shell.cwd)}:{line}:" in text.stdout for line in (3, 4))
    assert len(document["problems"]) == 3
    assert document["is_good"] is False


def test_setup_shows_what_there_is_and_how_to_get_more_without_a_secret(shell: Shell) -> None:
    shell.environ["OPENAI_API_KEY"] = "sk-canary"

    text, document = shell.run("setup").stdout, json.loads(shell.run("setup", "--json").stdout)

    assert ("openai", "metered") in [(found["provider"], found["billing"]) for found in document["found"]]
    assert document["default"]["provider"] == "openai-compatible"
    assert "metered: billed per token · environment variable OPENAI_API_KEY" in text
    assert "anthropic-api: or export ANTHROPIC_API_KEY=" in text
    assert "sk-canary" not in text


def test_trust_shows_what_it_allows_and_never_assumes_a_yes(bare: Shell) -> None:
    settings = bare.cwd / ".llm-orc" / "config.yaml"
    settings.parent.mkdir()
    settings.write_text("providers:\n  openai: {base_url: 'https://elsewhere.test'}\n", encoding="utf-8")

    refused = bare.run("trust")
    listed_before = bare.run("trust", "--list", "--json")
    agreed = bare.run("trust", "--yes", "--json")
    listed_after = bare.run("trust", "--list")
    forgotten = bare.run("trust", "--forget")

    assert refused.returncode == 2
    assert "providers.openai.base_url: https://elsewhere.test" in refused.stderr
    assert f"({settings}:2)" in refused.stderr
    assert json.loads(listed_before.stdout) == {"directories": [], "bills": []}
    assert json.loads(agreed.stdout)["trusted"] is True
    assert listed_after.stdout == f"{bare.cwd}\n"
    assert "is no longer trusted" in forgotten.stderr
    assert bare.run("trust", "--list").stdout == ""


def test_the_sandbox_names_its_base_urls_and_ends_cleanly(bare: Shell) -> None:
    with bare.started("sandbox", "--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(4)]
        process.terminate()
        _, err = process.communicate(timeout=20)

    assert [dialect for dialect, _ in lines] == ["anthropic", "openai-chat", "openai-responses", "gemini"]
    assert all(url.startswith("http://127.0.0.1:") for _, url in lines)
    assert process.returncode == 0
    assert f"base_url: {lines[1][1]}" in err


def test_a_mistyped_fault_is_refused_with_the_nearest(bare: Shell) -> None:
    done = bare.run("sandbox", "--fault", "statsu=429")

    assert done.returncode == 2
    assert "Did you mean `status`?" in done.stderr


def test_one_broken_profile_stops_no_command_that_does_not_use_it(shell: Shell) -> None:
    """As earlier releases, and other programs, leave them."""
    folder = shell.config.with_name("profiles")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "old.yaml").write_text("name: old\nprovider: 3\n")
    (folder / "broken.yaml").write_text("name: [\n")

    done = {
        words: shell.run(*words.split()).returncode
        for words in (
            "auth list",
            "auth migrate",
            "list-profiles",
            "runs list",
            "invoke panel --rehearse",
            "status",
        )
    }
    doctor = shell.run("doctor")

    assert set(done.values()) == {0}, done
    assert f"{folder / 'old.yaml'}:2:11" in doctor.stdout
    assert f"{folder / 'broken.yaml'}:2:1" in doctor.stdout
