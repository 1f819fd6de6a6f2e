"""What a person has chosen in a conversation stays with it: roles, models, and what to do when it is full."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.cli.chat.test_chat import MARK
from tests.cli.chat.test_slash_commands import chat
from tests.cli.conftest import Shell

POET = 'I was told: "You are a poet."'
METERED = """\
model_profiles:
  default: {{provider: openai-compatible, model: canned-1}}
providers:
  openai-compatible: {{base_url: '{url}'}}
  openai: {{base_url: '{url}', dialect: openai-chat}}
"""


def goes_on(shell: Shell, *arguments: str) -> tuple[str, str]:
    """Ask one more thing in the last conversation; return what comes to standard output, and to standard error."""
    done = shell.run("chat", "--continue", *arguments, stdin="two\n")
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


class TestARole:
    def test_that_was_set_in_the_chat_is_in_force_and_shown_when_it_goes_on(self, shell: Shell) -> None:
        chat(shell, "/role You are a poet.", "one")
        said, told = goes_on(shell)

        assert POET in said
        assert "Role, chosen in this conversation: You are a poet." in told
        assert POET in goes_on(shell)[0]

    def test_of_one_agent_of_an_ensemble(self, shell: Shell) -> None:
        chat(shell, "/role lawyer You are a poet.", "one", arguments=("panel",))
        said, told = goes_on(shell)

        assert said.count(POET) == 1
        assert POET in said.partition("=== lawyer")[2].partition("=== ")[0]
        assert "Role of lawyer, chosen in this conversation: You are a poet." in told

    def test_set_after_the_last_turn(self, shell: Shell) -> None:
        chat(shell, "one", "/role You are a poet.")

        assert POET in goes_on(shell)[0]

    def test_given_now_is_the_one_from_now_on(self, shell: Shell) -> None:
        shell.run("chat", "-s", "You are strict.", stdin="one\n")

        assert POET in goes_on(shell, "-s", "You are a poet.")[0]
        assert POET in goes_on(shell)[0]

    @pytest.mark.parametrize("target", [(), ("panel:lawyer",)])
    def test_can_be_given_up(self, shell: Shell, target: tuple[str, ...]) -> None:
        shell.run("chat", *target, "-s", "You are a poet.", stdin="one\n")
        chat(shell, "/role -", arguments=("--continue",))
        said, told = goes_on(shell)

        assert "I was given no role" in said
        assert "Role" not in told

    def test_stays_with_a_copy_and_not_with_another_conversation(self, shell: Shell) -> None:
        shell.run("chat", "--conversation", "a", "-s", "You are a poet.", stdin="one\n")
        shell.run("chat", "--conversation", "b", stdin="one\n")
        shell.run("conversations", "fork", "a", "c")

        said = {name: shell.run("chat", "--conversation", name, stdin="two\n").stdout for name in "abc"}

        assert {name: POET in text for name, text in said.items()} == {"a": True, "b": False, "c": True}

    def test_of_the_conversation_that_one_goes_to(self, shell: Shell) -> None:
        shell.run("chat", "--conversation", "a", "-s", "You are a poet.", stdin="one\n")
        seen = chat(shell, "/role You are strict.", "one", "/new a", "two")

        assert 'I was told: "You are strict."' in seen.partition("Conversation a,")[0]
        assert POET in seen.partition("Conversation a,")[2]

    def test_of_an_agent_that_is_gone_is_left_out_with_a_word(self, shell: Shell) -> None:
        file = shell.ensemble("duo", "name: duo\nagents: [{name: one}, {name: two}]\n")
        chat(shell, "/role two You are a poet.", "one", arguments=("duo",))
        file.write_text("name: duo\nagents: [{name: one}]\n")
        said, told = goes_on(shell)

        assert said.count(MARK) == 1
        assert "The role that was chosen for `two` is left out: ensemble `duo` has no agent `two`" in told


class TestAModel:
    @pytest.mark.parametrize("how", ["option", "command"])
    def test_is_the_one_that_was_chosen(self, shell: Shell, how: str) -> None:
        if how == "option":
            shell.run("chat", "-m", "openai-compatible/other", stdin="one\n")
        else:
            chat(shell, "/model openai-compatible/other", "one")
        told = goes_on(shell)[1]

        assert "openai-compatible other · local: free" in told
        assert "Model, chosen in this conversation: openai-compatible/other" in told
        assert "canned-1" in goes_on(shell, "-m", "default")[1]
        assert "canned-1" in goes_on(shell)[1]

    def test_that_there_is_no_more_is_left_out_with_a_word(self, shell: Shell) -> None:
        before = shell.config.read_text()
        shell.config.write_text(
            before.replace("profiles:\n", "profiles:\n  mine: {provider: openai-compatible, model: m}\n")
        )
        shell.run("chat", "-m", "mine", stdin="one\n")
        shell.config.write_text(before)
        told = goes_on(shell)[1]

        assert "The model that was chosen for `assistant` is left out: `mine` is neither a model profile" in told
        assert "canned-1" in told


class TestAModelThatCosts:
    @pytest.fixture
    def paid(self, shell: Shell, pretend: str) -> Shell:
        """The last conversation used a metered model, because its user named it."""
        shell.config.write_text(METERED.format(url=pretend))
        shell.environ["OPENAI_API_KEY"] = "sk-canary"
        done = shell.run("chat", "--conversation", "a", "-m", "openai/gpt-4o", stdin="one\n")
        assert done.returncode == 0, done.stderr
        assert "metered" in done.stderr
        return shell

    def test_is_not_used_again_without_a_word(self, paid: Shell) -> None:
        done = paid.run("chat", "--continue", stdin="two\n")

        assert done.returncode == 4
        assert "`openai/gpt-4o` was chosen in conversation `a`, and is `openai`, billed per token" in done.stderr
        assert done.stdout == ""

    @pytest.mark.parametrize("word", [("-m", "openai/gpt-4o"), ("--allow-metered",), ("-m", "default")])
    def test_is_used_again_or_replaced_when_that_is_said(self, paid: Shell, word: tuple[str, ...]) -> None:
        assert MARK in goes_on(paid, *word)[0]

    def test_is_asked_for_in_a_terminal(self, paid: Shell) -> None:
        paid.run("chat", "--conversation", "b", stdin="one\n")
        seen = chat(paid, "/new a", "two", arguments=("--conversation", "b"))

        assert "was chosen in conversation `a`" in seen
        turns = json.loads(paid.run("conversations", "show", "b", "--json").stdout)["turn_count"]
        assert turns == 4


def test_what_to_do_when_it_is_full_is_kept(shell: Shell) -> None:
    shell.run("chat", "--when-full", "truncate-oldest", stdin="one\n")
    goes_on(shell)
    run = json.loads(shell.run("runs", "list", "--kind", "chat", "--json").stdout)[0]["run_id"]
    with closing(sqlite3.connect(next(shell.home.rglob("runs.sqlite")))) as file:
        (recipe,) = file.execute("SELECT recipe FROM runs WHERE run_id = ?", (run,)).fetchone()

    assert "truncate-oldest" in (recipe if isinstance(recipe, str) else recipe.decode())


def test_a_conversation_of_an_earlier_build_keeps_its_last_role(shell: Shell) -> None:
    shell.run("chat", "-s", "You are a poet.", stdin="one\n")
    with closing(sqlite3.connect(next(shell.home.rglob("conversations.sqlite")))) as file, file:
        file.execute("ALTER TABLE conversations DROP COLUMN chosen")
        file.execute("ALTER TABLE turns DROP COLUMN files")
        file.execute("PRAGMA user_version = 1")

    assert POET in goes_on(shell)[0]
