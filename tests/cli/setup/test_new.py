"""`llm-orc library` and `llm-orc new`: ensembles to run as they are, and to begin one's own from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from llm_orc.app.projects.new_ensemble import templates
from tests.cli.conftest import Shell


def made(shell: Shell, *arguments: str) -> Path:
    done = shell.run("new", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["file"])


@pytest.mark.parametrize("name", [template.name for template in templates()])
def test_what_comes_along_is_good_as_it_is(shell: Shell, name: str) -> None:
    assert shell.run("check", name).returncode == 0

    done = shell.run("invoke", name, "--rehearse", "--output-format", "json")

    result = json.loads(done.stdout)
    assert (done.returncode, result["status"], result["sandbox"]) == (0, "completed", True)


def test_the_council_does_not_say_whose_an_answer_is(shell: Shell) -> None:
    done = shell.run("invoke", "council", "--rehearse", "--output-format", "json")

    results = json.loads(done.stdout)["results"]
    written = results["writer"]["response"].partition("--- user ---")[2]
    assert all(f"agent='answer-{letter}'" in written for letter in "abc")
    assert "canned-1" not in written


class TestLibrary:
    def test_lists_every_one(self, shell: Shell) -> None:
        listed = json.loads(shell.run("library", "list", "--json").stdout)

        assert {one["name"] for one in listed} >= {
            "code-review",
            "council",
            "debate",
            "multi-role-test",
            "research-synthesis",
            "advisory-board",
            "review-diff",
            "review-repository",
            "research-web",
            "extract-table",
            "translate",
            "folder-digest",
            "watch",
        }
        assert all(one["description"] and one["agents"] for one in listed)
        assert "council" in shell.run("library", "list").stdout

    def test_shows_one_as_it_is_written(self, shell: Shell) -> None:
        done = shell.run("library", "show", "council")

        assert yaml.safe_load(done.stdout)["name"] == "council"
        assert "# Names are neutral on purpose" in done.stdout

    def test_knows_the_nearest(self, shell: Shell) -> None:
        done = shell.run("library", "show", "councl")

        assert done.returncode == 3
        assert "Did you mean `council`?" in done.stderr


class TestNew:
    def test_the_start_runs_as_it_is(self, shell: Shell) -> None:
        file = made(shell, "mine")

        assert file == shell.cwd / ".llm-orc" / "ensembles" / "mine.yaml"
        assert shell.run("check", "mine").returncode == 0
        assert shell.run("invoke", "mine").returncode == 0

    def test_editors_find_the_schema(self, shell: Shell) -> None:
        file = made(shell, "mine")

        first = file.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../ensemble.schema.json"
        schema = file.parent / ".." / "ensemble.schema.json"
        assert json.loads(schema.read_text()) == json.loads(shell.run("schema").stdout)
        Draft202012Validator(json.loads(schema.read_text())).validate(yaml.safe_load(file.read_text()))

    def test_one_from_a_template_keeps_its_comments(self, shell: Shell) -> None:
        file = made(shell, "my-council", "--from", "council")

        assert yaml.safe_load(file.read_text())["name"] == "my-council"
        assert "# Names are neutral on purpose" in file.read_text()
        assert shell.run("invoke", "my-council", "--rehearse").returncode == 0

    def test_a_copy_finds_the_programs_of_what_it_began_as(self, shell: Shell) -> None:
        made(shell, "my-digest", "--from", "folder-digest")

        assert shell.run("check", "my-digest", "--offline").returncode == 0

    def test_the_users_own_serve_every_project(self, shell: Shell) -> None:
        file = made(shell, "mine", "--user")

        assert file == shell.config.parent / "ensembles" / "mine.yaml"

    def test_says_what_to_do_next(self, shell: Shell) -> None:
        done = shell.run("new", "two words")

        assert "llm-orc check 'two words'" in done.stderr
        assert shell.run("check", "two words").returncode == 0

    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("two words", "two-words"),
            ("CON", "CON-ensemble"),
            ("1.5", "1-5"),
            ("a: b #c", "a-b-#c"),
            ("größe", "größe"),
        ],
    )
    def test_any_name_becomes_a_file_that_every_system_can_hold(self, shell: Shell, name: str, file: str) -> None:
        written = made(shell, name)

        assert written.stem == file
        assert yaml.safe_load(written.read_text())["name"] == name

    @pytest.mark.parametrize("name", ["a/b", "", " a", "~a", "a\\b"])
    def test_names_that_can_not_be(self, shell: Shell, name: str) -> None:
        done = shell.run("new", name)

        assert done.returncode == 2
        assert "can't be an ensemble's name" in done.stderr

    def test_nothing_is_written_over_without_a_word(self, shell: Shell) -> None:
        file = made(shell, "mine")
        file.write_text("name: mine\nagents: [{name: a}]\n")

        refused = shell.run("new", "mine")

        assert refused.returncode == 2
        assert "llm-orc new mine --force" in refused.stderr
        assert len(file.read_text()) < 40
        assert shell.run("new", "mine", "--force").returncode == 0
        assert len(file.read_text()) > 400

    def test_an_unknown_template(self, shell: Shell) -> None:
        done = shell.run("new", "mine", "--from", "nothing-like-it")

        assert done.returncode == 3
        assert "llm-orc library list" in done.stderr
