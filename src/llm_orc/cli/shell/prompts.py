"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.streams import is_terminal, note

if TYPE_CHECKING:
    from collections.abc import Sequence


def person_is_here() -> bool:
    """Can a question be shown, and an answer typed?"""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def chosen(options: Sequence[str]) -> int:
    """Show the options and return the position of the one chosen; Enter takes the first."""
    for number, option in enumerate(options, start=1):
        note(f"  {number}  {option}")
    kind = click.IntRange(1, len(options))
    answer: int = click.prompt("Which", type=kind, default=1, err=True)
    return answer - 1


def agreed(question: str, *, yes: bool) -> bool:
    """Ask, unless `--yes` was given. Where nobody can answer that is a mistake in the call: never a silent yes."""
    if yes:
        return True
    if not person_is_here():
        raise click.UsageError(f"{question} Nobody is here to answer; add --yes.", click.get_current_context())
    return confirmed(question)


def confirmed(question: str, *, default: bool = False) -> bool:
    """Ask the person who is here. The question shows all that it quotes as what it is, hosts in ASCII too."""
    from llm_orc.formats.printable import unmistakable

    return click.confirm(unmistakable(question), default=default, err=True)
