"""An answer on the command line, and the options that say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


@dataclass(frozen=True, slots=True)
class Said:
    """The answer on the command line. Neither `choice` nor `text`: it is asked for in the terminal."""

    choice: str | None = None
    text: str | None = None


note_option = click.option(
    "--note", "text", metavar="TEXT", help="A note on the choice, for agents and for the record."
)


def answer_options(function: Decorated) -> Decorated:
    """Add the options that say any answer."""
    for option in reversed(
        (
            click.option("--choice", metavar="CHOICE", help="One of the choices that the agent gives."),
            click.option(
                "--text",
                "--note",
                "text",
                metavar="TEXT",
                help="The answer, if it has no choices; else a note on the choice.",
            ),
        )
    ):
        function = option(function)
    return function
