"""What other programs call a command leads to ours, and each that is named exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from llm_orc.cli.root import root
from llm_orc.cli.shell.other_words import OTHER_WORDS
from llm_orc.errors.installing import upgrading

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


def deepest(words: list[str]) -> tuple[click.Context, list[str]]:
    """Return the context of the command that `words` lead to, and the words behind it."""
    context = click.Context(root, info_name="llm-orc")
    for number, word in enumerate(words):
        command = context.command
        if not isinstance(command, click.Group):
            return context, words[number:]
        found = command.get_command(context, word)
        if found is None:
            return context, words[number:]
        context = click.Context(found, info_name=word, parent=context)
    return context, []


@pytest.mark.parametrize("command", sorted(set(OTHER_WORDS.values())))
def test_every_command_that_a_hint_names_exists(command: str) -> None:
    context, rest = deepest(command.split())

    parameters = context.command.get_params(context)
    options = {name for parameter in parameters for name in parameter.opts if isinstance(parameter, click.Option)}
    assert context.command is not root
    assert {word for word in rest if word.startswith("-")} <= options
    assert all(word == "last" or word.startswith("-") for word in rest)


@pytest.mark.parametrize("words", sorted(OTHER_WORDS))
def test_no_command_of_ours_is_in_the_table(words: str) -> None:
    assert deepest(words.split())[1] != []


@pytest.mark.parametrize("word", ["update", "upgrade"])
def test_an_upgrade_is_left_to_what_installed_the_program(bare: Shell, word: str) -> None:
    done = bare.run(word)

    assert done.returncode == 2
    assert f"hint: {upgrading()}" in done.stderr
