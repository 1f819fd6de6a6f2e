"""`invoke --conversation` and `conversations`, as they are typed."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell


@pytest.fixture
def seeded(shell: Shell) -> Shell:
    """A conversation `seed` of two runs of the panel: twelve turns."""
    for task in ("Worth it?", "And if they grow?"):
        assert shell.run("invoke", "panel", "--conversation", "seed", "-i", task).returncode == 0
    return shell


def test_continue_goes_on_and_the_summary_names_the_conversation(seeded: Shell) -> None:
    done = seeded.run("invoke", "panel", "--continue", "-i", "And then?")

    assert done.returncode == 0
    assert "conversation seed\n" in done.stderr
    assert json.loads(seeded.run("conversations", "list", "--json").stdout)[0]["turn_count"] == 18


def test_json_of_a_run_names_it_too(seeded: Shell) -> None:
    done = seeded.run("invoke", "panel", "-c", "-i", "x", "--output-format", "json")

    assert json.loads(done.stdout)["conversation"] == "seed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--conversation", "a", "--continue"], "--conversation and --continue exclude each other"),
        (["--continue", "--no-conversation"], "--continue and --no-conversation exclude each other"),
        (["--conversation", "a", "--no-record"], "--no-record stores nothing"),
    ],
)
def test_options_that_exclude_each_other(shell: Shell, arguments: list[str], said: str) -> None:
    done = shell.run("invoke", "panel", "-i", "x", *arguments)

    assert done.returncode == 2
    assert said in done.stderr


def test_continue_without_any_says_how_to_begin_one(shell: Shell) -> None:
    done = shell.run("invoke", "panel", "--continue", "-i", "x")

    assert done.returncode == 1
    assert "no conversation with `panel`" in done.stderr
    assert "hint: Begin one with --conversation NAME." in done.stderr


def test_no_record_leaves_an_ensembles_own_conversation_alone(shell: Shell) -> None:
    shell.own_ensemble("solo", "name: solo\nconversation: standing\nagents: [{name: a}]\n")

    done = shell.run("invoke", "solo", "-i", "x", "--no-record")

    assert done.returncode == 0
    assert "With --no-record the agents don't see the conversation `standing`." in done.stderr
    assert "no conversations yet" in shell.run("conversations", "list").stderr


class TestList:
    def test_has_a_row_for_each(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "list")

        assert done.stdout.split("\t")[:4] == ["seed", "panel", "3", "12"]

    def test_says_what_to_do_where_there_are_none(self, shell: Shell) -> None:
        done = shell.run("conversations", "list")

        assert (done.returncode, done.stdout) == (0, "")
        assert "llm-orc chat" in done.stderr

    def test_is_an_empty_list_in_json(self, shell: Shell) -> None:
        assert json.loads(shell.run("conversations", "list", "--json").stdout) == []


class TestShow:
    def test_shows_the_newest_turns_and_says_how_many_came_before(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "show", "seed", "--limit", "2")

        assert done.stdout.startswith("… 10 earlier turns: llm-orc conversations show seed --all\n")
        assert done.stdout.count("\n=== ") == 2

    def test_shows_one_agent_alone(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "show", "--agent", "lawyer", "--json")

        shown = json.loads(done.stdout)
        assert [(t["role"], t["agent"]) for t in shown["turns"]] == [
            ("user", "lawyer"),
            ("assistant", "lawyer"),
        ] * 2
        first, answer = shown["turns"][:2]
        assert first["text"] == "Worth it?"
        assert answer["access"]["billing"] == "local"
        assert answer["usage"]["output_tokens"] > 0
        assert answer["run_id"]

    def test_knows_which_agents_there_are(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "show", "seed", "--agent", "plumber")

        assert done.returncode == 1
        assert "hint: It has: analyst, lawyer, chair" in done.stderr

    def test_suggests_the_nearest_name(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "show", "sed")

        assert done.returncode == 1
        assert "hint: Did you mean `seed`?" in done.stderr


class TestExport:
    def test_markdown_has_every_turn(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "export", "seed")

        assert done.stdout.startswith("# seed\n")
        assert done.stdout.count("\n## ") == 12
        assert "> Worth it?" in done.stdout

    def test_json_goes_to_the_file_that_is_named(self, seeded: Shell) -> None:
        file = seeded.cwd / "seed.json"
        done = seeded.run("conversations", "export", "--output-format", "json", "-o", str(file))

        assert done.returncode == 0
        assert len(json.loads(file.read_text())["turns"]) == 12


class TestForkAndDelete:
    def test_a_fork_goes_on_by_itself(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "fork", "seed", "other")
        assert done.returncode == 0
        assert "Continue with: llm-orc chat --conversation other" in done.stderr

        seeded.run("invoke", "panel", "--conversation", "other", "-i", "x")

        listed = json.loads(seeded.run("conversations", "list", "--json").stdout)
        assert {one["name"]: one["turn_count"] for one in listed} == {"other": 18, "seed": 12}

    def test_a_name_that_is_taken_is_refused(self, seeded: Shell) -> None:
        done = seeded.run("conversations", "fork", "seed", "seed")

        assert done.returncode == 2
        assert "conversation `seed` already exists" in done.stderr

    def test_delete_wants_a_yes(self, seeded: Shell) -> None:
        assert seeded.run("conversations", "delete", "seed").returncode == 2
        assert seeded.run("conversations", "delete", "seed", "--yes").returncode == 0
        assert json.loads(seeded.run("conversations", "list", "--json").stdout) == []
