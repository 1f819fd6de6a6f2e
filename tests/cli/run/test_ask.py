"""`ask`, and a question in place of a command: one model, its answer on standard output, and what follows from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

MARK = "no model was asked]"


@pytest.fixture
def asking(shell: Shell, pretend: str) -> Shell:
    """A machine with a free model, another free profile, and a key of a metered provider."""
    text = shell.config.read_text()
    fast = "  fast: {provider: openai-compatible, model: fast-1}\n"
    paid = f"  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n"
    shell.config.write_text(text.replace("model_profiles:\n", f"model_profiles:\n{fast}") + paid)
    shell.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    return shell


def test_only_the_answer_is_on_standard_output(asking: Shell) -> None:
    done = asking.run("ask", "What is a covenant?")

    assert done.returncode == 0
    assert done.stdout.startswith("[canned answer")
    assert '"What is a covenant?"' in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert "local: free" in done.stderr


def test_several_words_in_place_of_a_command_are_a_question(asking: Shell) -> None:
    done = asking.run("What is a covenant?", "-m", "fast", "-s", "You are a poet.", "--json")

    document = json.loads(done.stdout)
    assert document["ensemble"] == "ask"
    assert document["results"]["assistant"]["model"] == "fast-1"
    assert 'I was told: "You are a poet."' in document["answer"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("invok", "Did you mean `invoke`? To ask a model: `llm-orc ask invok`."),
        ("covenant", "To ask a model: `llm-orc ask covenant`."),
        ("  ", "To ask a model: `llm-orc ask '  '`."),
    ],
)
def test_a_single_word_is_a_command_that_there_is_not(asking: Shell, word: str, hint: str) -> None:
    done = asking.run(word)

    assert done.returncode == 2
    assert f"there is no command `{word}`" in done.stderr
    assert f"hint: {hint}" in done.stderr
    assert done.stdout == ""


def test_an_option_with_spaces_is_no_question(asking: Shell) -> None:
    done = asking.run("--what is it")

    assert done.returncode == 2
    assert "no such option" in done.stderr


def test_what_is_piped_goes_along_with_the_question(asking: Shell) -> None:
    done = asking.run("ask", "Look at it.", "--rehearse", stdin="piped text\n")

    assert "piped text" in done.stdout
    assert "Look at it." in done.stdout
    assert asking.run("ask").returncode == 2


def test_the_next_question_continues_with_the_same_model_and_role(asking: Shell) -> None:
    asking.run("ask", "one", "-m", "fast", "-s", "You are a poet.")
    listed = asking.run("conversations", "list").stdout

    two = json.loads(asking.run("ask", "-c", "two", "--json").stdout)
    three = json.loads(asking.run("ask", "-c", "three", "-m", "openai-compatible/big", "--json").stdout)

    assert listed == ""  # a question that nothing follows from is a run, and no conversation
    assert two["results"]["assistant"]["model"] == "fast-1"
    assert 'I was told: "You are a poet."' in two["answer"]
    assert three["results"]["assistant"]["model"] == "big"
    assert two["conversation"] == three["conversation"]
    shown = json.loads(asking.run("conversations", "show", "last", "--all", "--json").stdout)
    assert [turn["text"] for turn in shown["turns"] if turn["role"] == "user"] == ["one", "two", "three"]
    chatted = asking.run("chat", "--conversation", two["conversation"], stdin="four\n")
    assert chatted.returncode == 0
    assert "three" in chatted.stderr


def test_a_conversation_has_a_name_if_it_is_given_one(asking: Shell) -> None:
    asking.run("ask", "one", "--conversation", "taxes", "-m", "fast")
    done = json.loads(asking.run("ask", "two", "--conversation", "taxes", "--json").stdout)

    assert done["conversation"] == "taxes"
    assert done["results"]["assistant"]["model"] == "fast-1"
    assert json.loads(asking.run("conversations", "show", "taxes", "--json").stdout)["turn_count"] == 4


def test_a_metered_model_is_asked_where_it_is_named_and_again_only_with_a_yes(asking: Shell) -> None:
    named = asking.run("ask", "one", "-m", "openai/gpt-5-mini")
    again = asking.run("ask", "-c", "two")
    agreed = asking.run("ask", "-c", "two", "--allow-metered")

    assert [done.returncode for done in (named, again, agreed)] == [0, 4, 0]
    assert "metered: billed per token" in named.stderr
    assert "`openai/gpt-5-mini` was chosen" in again.stderr
    assert "--allow-metered" in again.stderr
    assert "sk-canary" not in again.stderr


def test_a_variable_names_its_model_too(asking: Shell) -> None:
    asking.environ["LLM_ORC_MODEL"] = "fast"

    by_variable = json.loads(asking.run("ask", "one", "--json").stdout)
    by_command = json.loads(asking.run("ask", "one", "-m", "openai-compatible/big", "--json").stdout)

    assert by_variable["results"]["assistant"]["model"] == "fast-1"
    assert by_command["results"]["assistant"]["model"] == "big"


def test_nothing_is_stored_without_a_record(asking: Shell) -> None:
    done = asking.run("ask", "one", "--no-record")

    assert MARK in done.stdout
    assert asking.run("runs", "list").stdout == ""
    none = asking.run("ask", "-c", "two")
    assert "there is no question to continue from" in none.stderr
    assert none.returncode != 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-m", "fast", "--profile", "fast"), "--model and --profile exclude each other"),
        (("-c", "--conversation", "x"), "--conversation and --continue exclude each other"),
        (("-c", "--no-record"), "--no-record stores nothing"),
        (("-m", "fsat"), "`fsat` is neither a model profile nor a provider"),
        (("--profile", "fsat"), "no model profile is called `fsat`"),
    ],
)
def test_what_cannot_be_meant_ends_before_anything_is_sent(
    asking: Shell, options: tuple[str, ...], said: str
) -> None:
    done = asking.run("ask", "one", *options)

    assert done.returncode in (2, 3)
    assert said in done.stderr


def test_in_a_terminal_the_answer_is_rendered_and_stays_once(asking: Shell) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
    from tests.cli.terminal import Terminal

    terminal = Terminal(asking, "What is a covenant?", "-q", columns=80)
    shown = terminal.to_the_end()

    assert "canned answer" in shown
    assert terminal.process.exitstatus == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "fast", "what is it"),
        ("--model=fast", "what is it"),
        ("-C.", "-mfast", "what is it"),
        ("-m", "fast", "-s", "list", "what is it"),
        ("--debug", "-qm", "fast", "what is it", "-s", "runs"),
        ("-C", ".", "what is it", "-m", "fast"),
    ],
)
def test_options_may_come_before_the_question(asking: Shell, arguments: tuple[str, ...]) -> None:
    done = asking.run(*arguments)

    assert done.returncode == 0, done.stderr
    assert "what is it" in done.stdout
    recorded = json.loads(asking.run("runs", "show", "--json").stdout)
    assert recorded["results"]["assistant"]["model"] == "fast-1"


def test_options_before_a_command_are_not_taken_for_a_question(asking: Shell) -> None:
    done = asking.run("-m", "fast", "invoke", "panel", "what is it")

    assert done.returncode == 2
    assert "no such option" in done.stderr


def test_a_command_in_quotes_is_no_question(asking: Shell) -> None:
    done = asking.run("runs list")

    assert (done.returncode, done.stdout) == (2, "")
    assert "Without quotes: `llm-orc runs list`." in done.stderr
    assert asking.run("check this sentence", "--rehearse").returncode == 0


def test_a_question_that_never_began_changes_no_conversation(asking: Shell) -> None:
    refused = asking.run("ask", "one", "--conversation", "taxes", "-m", "opnai")

    assert refused.returncode == 3
    assert asking.run("conversations", "list").stdout == ""
    assert asking.run("ask", "one", "--conversation", "taxes", "-m", "fast").returncode == 0
