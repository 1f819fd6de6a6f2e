"""Wrong usage is reported in the style of all messages, also where click has found it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click
import pytest

from llm_orc.cli.root import root
from llm_orc.cli.shell.program import PROGRAM
from llm_orc.cli.shell.usage import UsageMistake, as_usage_mistake
from tests.test_messages import is_hint, starts_small

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Shell


def mistake(*arguments: str, command: click.Command = root, name: str = PROGRAM) -> UsageMistake:
    with pytest.raises((click.ClickException, UsageMistake)) as caught:  # noqa: SIM117 - the context is closed first
        with command.make_context(name, list(arguments)) as context:
            command.invoke(context)
    if isinstance(caught.value, UsageMistake):
        return caught.value
    assert isinstance(caught.value, click.ClickException)
    return as_usage_mistake(caught.value)


def commands(group: click.Group = root, path: str = PROGRAM) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def is_in_style(error: UsageMistake) -> bool:
    return (
        starts_small(error.message)
        and not error.message.endswith(".")
        and re.search(r"'\W|Did you mean|\. ", error.message) is None
        and error.hint is not None
        and is_hint(error.hint)
    )


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("invok", "there is no command `invok`", "Did you mean `invoke`?"),
        ("login", "there is no command `login`", "Did you mean `llm-orc auth add`?"),
        ("auth login", "there is no such command", "Did you mean `llm-orc auth add`?"),
        ("list profiles", "there is no command `list`", "Did you mean `llm-orc list-profiles`?"),
        ("runs ls", "there is no command `runs ls`", "Did you mean `llm-orc runs list`?"),
        ("lp", "there is no command `lp`", "Did you mean `llm-orc list-profiles`?"),
        (
            "batch ls",
            "there is no command `batch ls`",
            "Did you mean `llm-orc batch list`? An ensemble needs --inputs.",
        ),
        ("zzzzzz", "there is no command `zzzzzz`", "To ask a model: `llm-orc ask zzzzzz`."),
        ("runs exprot", "there is no command `runs exprot`", "Did you mean `export`?"),
        (
            "batch statsu",
            "there is no command `batch statsu`",
            "Did you mean `status`? An ensemble needs --inputs.",
        ),
        ("auth logut", "there is no such command", "Did you mean `logout`?"),
        (
            "invoke panel --inptu x",
            "no such option `--inptu`",
            "Did you mean `--input` or `--no-input` or `--input-file`?",
        ),
        ("invoke panel --zzzzzz", "no such option `--zzzzzz`", "llm-orc invoke --help"),
        ("--zzzzzz", "no such option `--zzzzzz`", "llm-orc --help"),
        ("invoke", "missing argument `ENSEMBLE`", "llm-orc invoke --help"),
        ("runs delete", "missing argument `RUN...`", "llm-orc runs delete --help"),
        ("batch run panel", "missing option `--inputs`", "llm-orc batch run --help"),
        ("invoke panel --input", "option `--input` requires an argument", "llm-orc invoke --help"),
        ("invoke panel --rehearse=x", "option `--rehearse` does not take a value", "llm-orc invoke --help"),
        (
            "invoke panel Is it worth",
            "unexpected arguments `it worth`",
            'Put a task of several words in quotes: "…".',
        ),
        ("resume last more than", "unexpected arguments `more than`", "llm-orc resume --help"),
        ("auth add openai sk", "there is one argument too many", "Enter a key at the hidden prompt, or with …"),
        (
            "invoke panel --max-calls few",
            "invalid value for `--max-calls`: `few` is not a valid integer range",
            "llm-orc invoke --help",
        ),
        (
            "invoke panel --max-calls -1",
            "invalid value for `--max-calls`: -1 is not in the range 0<=x<=1000000000",
            "llm-orc invoke --help",
        ),
        (
            "invoke panel --max-cost nan",
            "invalid value for `--max-cost`: `nan` is not an amount of money",
            "llm-orc invoke --help",
        ),
        (
            "invoke panel --output-format xml",
            "invalid value for `--output-format`: `xml` is not one of `answer`, `text`, `markdown`, `json`, `jsonl`",
            "llm-orc invoke --help",
        ),
        ("-C /no/such status", "invalid value for `-C` / `--directory`: directory `/no/such` does not exist", "…"),
        ("-C", "option `-C` requires an argument", "llm-orc --help"),
        ("batch panel --inputs", "option `--inputs` requires an argument", "llm-orc batch run --help"),
        (
            "invoke panel -c --no-conversation",
            "--continue and --no-conversation exclude each other",
            "Give only one.",
        ),
        ("chat -c --conversation a", "--conversation and --continue exclude each other", "Give only one."),
        ("auth migrate --undo --remove-old", "--undo and --remove-old exclude each other", "Give only one."),
        ("runs delete b1:2", "`b1:2` is a row, and rows are deleted with their batch", "llm-orc batch delete b1"),
    ],
)
def test_message_and_hint_of_wrong_usage(words: str, message: str, hint: str) -> None:
    error = mistake(*words.split())

    assert error.message == message
    assert (error.hint or "").startswith(hint.removesuffix("…"))
    assert is_in_style(error)


def test_a_value_is_quoted_as_it_was_given() -> None:
    assert mistake("invoke", "panel", "--output-format", "it's").message.startswith(
        "invalid value for `--output-format`: `it's` is not one of"
    )


def test_the_usage_of_the_command_is_shown_with_the_mistake() -> None:
    assert mistake("runs", "delete").usage == "Usage: llm-orc runs delete [OPTIONS] RUN..."


def test_every_command_refuses_what_it_does_not_know_in_the_same_style() -> None:
    found = dict(commands())

    assert len(found) > 40
    for name, command in found.items():
        error = mistake("--no-such-option", command=command, name=name)
        assert error.message == "no such option `--no-such-option`"
        assert is_in_style(error)


def test_every_choice_and_number_is_refused_in_the_same_style() -> None:
    typed = [
        (name, command, option)
        for name, command in commands()
        for option in command.params
        if isinstance(option, click.Option)
        and isinstance(option.type, (click.Choice, click.IntRange, click.FloatRange))
        if not option.is_flag
    ]

    assert len(typed) > 30
    for name, command, option in typed:
        error = mistake(f"{max(option.opts, key=len)}=no-such", command=command, name=name)
        assert error.message.startswith(f"invalid value for `{option.opts[0]}`")
        assert "`no-such` is not " in error.message
        assert is_in_style(error)


def test_text_and_json_say_the_same(bare: Shell) -> None:
    done = bare.run("invoke", "panel", "--inptu", "x", "--output-format", "json")

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"] == "no such option `--inptu`"
    assert json.loads(done.stdout)["error"]["hint"] == "Did you mean `--input` or `--no-input` or `--input-file`?"
    assert done.stderr.splitlines() == [
        "Usage: llm-orc invoke [OPTIONS] ENSEMBLE [TASK]",
        "error: no such option `--inptu`",
        "hint: Did you mean `--input` or `--no-input` or `--input-file`?",
    ]
