"""`--json` means the same everywhere: whatever can write JSON by `--output-format` has it."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from llm_orc.cli.root import root


def commands(group: click.Group, words: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, f"{words}{name} ")
        else:
            yield f"{words}{name}", found


def writes_json(command: click.Command) -> bool:
    return any(
        "--output-format" in parameter.opts
        and isinstance(parameter.type, click.Choice)
        and "json" in parameter.type.choices
        for parameter in command.params
    )


ALL = dict(commands(root))
WITH_FORMATS = [words for words, command in ALL.items() if writes_json(command)]


@pytest.mark.parametrize("words", WITH_FORMATS)
def test_json_is_a_short_form_of_its_output_format(words: str) -> None:
    assert any("--json" in parameter.opts for parameter in ALL[words].params)


def test_the_commands_that_run_agents_are_among_them() -> None:
    assert {"invoke", "resume", "demo", "runs show", "runs retry", "runs fork"} <= set(WITH_FORMATS)
