"""What one can do between two turns of a chat. On a terminal that can only print lines, as all can do that much."""

from __future__ import annotations

import json
from shutil import rmtree

import pytest

from tests.cli.chat.test_chat import MARK, asked, turns
from tests.cli.chat.test_terminal import END, PROMPT
from tests.cli.conftest import Shell, pretend_providers
from tests.cli.terminal import Terminal

pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")


def chat(shell: Shell, *lines: str, arguments: tuple[str, ...] = ()) -> str:
    """Type the lines into one chat, each at a prompt of its own, leave it, and return what was on the screen."""
    terminal = Terminal(shell, "chat", *arguments, columns=400, TERM="dumb")
    for line in lines:
        terminal.process.expect_exact(("> ", "Which ["))
        terminal.process.sendline(line)
    terminal.process.expect_exact("> ")
    terminal.process.sendeof()
    seen = terminal.to_the_end()
    assert terminal.process.exitstatus == 0
    return seen.replace("\r\n", "\n")


def test_undo_takes_a_turn_back_and_retry_asks_the_last_one_again(shell: Shell) -> None:
    seen = chat(shell, "one", "two", "/undo", "three", "/retry")

    assert "Undone: two" in seen
    assert asked(shell) == ["one", "three"]
    assert seen.count(MARK) == 4


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        pytest.param(("one", "two", "/undo", "/retry"), ["one", "two"], id="once"),
        pytest.param(("one", "two", "/undo", "/undo", "/retry"), ["one"], id="the one taken back last"),
        pytest.param(("one", "two", "/undo", "/retry", "/retry"), ["one", "two"], id="and again"),
        pytest.param(("one", "two", "/retry", "/undo"), ["one"], id="what was asked again is one turn"),
        pytest.param(("one", "two", "/retry", "/undo", "/undo", "/retry"), ["one"], id="all in turn"),
    ],
)
def test_retry_after_undo_takes_no_older_turn_back(shell: Shell, lines: tuple[str, ...], left: list[str]) -> None:
    chat(shell, *lines)

    assert asked(shell) == left


def test_retry_after_undo_in_a_chat_that_goes_on(shell: Shell) -> None:
    chat(shell, "one", "two", arguments=("--conversation", "a"))
    chat(shell, "/undo", "/retry", arguments=("--conversation", "a"))

    assert asked(shell, "a") == ["one", "two"]


def test_an_ensemble_is_asked_again_what_was_taken_back(shell: Shell) -> None:
    chat(shell, "one", "two", "/undo", "/retry", arguments=("panel",))

    assert [text for text in asked(shell) if "two" in text] != []
    assert sum(text == "one" for text in asked(shell)) == 2  # the analyst and the lawyer


def test_a_file_goes_with_one_turn_and_with_what_asks_it_again(shell: Shell) -> None:
    (shell.cwd / "note.txt").write_text("Remember the milk.")

    seen = chat(shell, "/attach no.txt", "/attach note.txt", "one", "/retry", "/undo", "/retry", "two", "/attach")

    assert "can't read `no.txt`" in seen
    assert seen.count("With your next turn: note.txt") == 2
    assert "No file goes with your next turn." in seen
    shown = json.loads(shell.run("conversations", "show", "last", "--all", "--json").stdout)["turns"]
    said = [(turn["text"], [one["name"] for one in turn["files"]]) for turn in shown if turn["role"] == "user"]
    assert said == [("one", ["note.txt"]), ("two", [])]


def test_a_role_holds_from_the_next_turn_on(shell: Shell) -> None:
    seen = chat(shell, "/role", "one", "/role You are a poet.", "two", "/role")

    assert "assistant: no role" in seen
    assert "I was given no role" in seen
    assert 'I was told: "You are a poet."' in seen
    assert "assistant: You are a poet." in seen


def test_a_role_of_an_ensemble_is_one_agents(shell: Shell) -> None:
    seen = chat(shell, "/role lawyer You are strict.", "one", arguments=("panel",))

    assert seen.count('I was told: "You are strict."') == 1


def test_a_model_that_can_not_be_used_changes_nothing(shell: Shell) -> None:
    seen = chat(shell, "/model openai", "one")

    assert "there is no API key for `openai`" in seen
    assert seen.count(MARK) == 1


def test_a_fork_and_a_new_one(shell: Shell) -> None:
    chat(shell, "one", "/fork b", "two", "/new c", "three", "/new a", "four", arguments=("--conversation", "a"))

    assert [asked(shell, name) for name in "abc"] == [["one", "four"], ["one", "two"], ["three"]]


def test_save_asks_before_it_replaces_a_file(shell: Shell) -> None:
    (shell.cwd / "notes.md").write_text("mine")
    seen = chat(
        shell, "one", "/save", "/save notes.md", "2", "/save here.md", "two", "/save here.md", "1",
        arguments=("--conversation", "a"),
    )  # fmt: skip

    assert (shell.cwd / "a.md").read_text().startswith("# a\n")
    assert (shell.cwd / "notes.md").read_text() == "mine"
    assert "Nothing was written." in seen
    assert "two" in (shell.cwd / "here.md").read_text()


def test_help_lists_every_command_and_info_says_where_one_is(shell: Shell) -> None:
    seen = chat(shell, "/help", "/info", arguments=("--conversation", "a"))

    assert all(f"/{name}" in seen for name in ("role", "model", "undo", "retry", "save", "fork"))
    assert "in conversation a, 0 turns" in seen


def test_a_slash_can_be_said(shell: Shell) -> None:
    chat(shell, "//undo is a word")

    assert asked(shell) == ["/undo is a word"]


def test_an_unknown_one_is_no_turn(shell: Shell) -> None:
    seen = chat(shell, "/und")

    assert "Did you mean `undo`?" in seen
    assert MARK not in seen


def test_a_chat_says_what_is_lost_with_its_folder_and_goes_on(shell: Shell) -> None:
    terminal = Terminal(shell, "chat", columns=400, TERM="dumb")
    terminal.process.expect_exact("> ")
    terminal.process.sendline("one")
    terminal.process.expect_exact("> ")
    rmtree(shell.home / ".local" / "state" / "llm-orc")
    terminal.process.sendline("two")
    terminal.process.expect_exact("> ")
    terminal.process.sendeof()
    seen = terminal.to_the_end()

    assert "is no longer on the disk: its history is lost" in seen
    assert seen.count(MARK) == 2
    assert terminal.process.exitstatus == 0
    assert asked(shell) == ["two"]


def test_a_chat_that_can_keep_nothing_says_so_at_each_turn_and_goes_on(shell: Shell) -> None:
    state = shell.home / ".local" / "state" / "llm-orc"
    terminal = Terminal(shell, "chat", columns=400, TERM="dumb")
    terminal.process.expect_exact("> ")
    terminal.process.sendline("one")
    terminal.process.expect_exact("> ")
    rmtree(state)
    state.write_text("in the way")
    for line in ("two", "three"):
        terminal.process.sendline(line)
        terminal.process.expect_exact("> ")
    terminal.process.sendeof()
    seen = terminal.to_the_end()

    assert seen.count("but this turn is not stored: later turns won't include it.") == 2
    assert seen.count(MARK) == 3
    assert "Traceback" not in seen


def test_resume_leaves_a_stopped_answer_to_its_chat(shell: Shell) -> None:
    with pretend_providers("--fault", "hang=4,times=1") as base_url:
        shell.talks_to(base_url)
        stopped = Terminal(shell, "chat", "--conversation", "a")
        stopped.process.expect(PROMPT)
        stopped.process.send("one\r")
        stopped.process.expect("I was given")
        stopped.process.sendintr()
        stopped.process.expect("Stopped. What arrived is kept")
        stopped.process.expect(PROMPT)
        stopped.process.send("two\r")
        stopped.process.expect(END)
        stopped.process.expect(PROMPT)
        stopped.process.sendcontrol("d")
        stopped.to_the_end()
    before = turns(shell, "a")
    bare = shell.run("resume")
    run = next(
        r["run_id"]
        for r in json.loads(shell.run("runs", "list", "--kind", "chat", "--json").stdout)
        if r["status"] != "completed"
    )
    named = shell.run("resume", run)
    shown = shell.run("runs", "show", run)

    assert bare.returncode == named.returncode == 1
    assert "there is no unfinished run" in bare.stderr
    assert f"run `{run}` is a turn of a chat" in named.stderr
    assert "llm-orc chat --conversation a" in named.stderr
    assert "llm-orc resume" not in shown.stderr
    assert turns(shell, "a") == before
    assert (
        "unfinished" not in json.loads(shell.run("status", "--json").stdout)
        or json.loads(shell.run("status", "--json").stdout)["unfinished"] is None
    )
