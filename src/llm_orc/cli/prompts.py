"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_orc.cli.streams import is_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence


def person_is_here() -> bool:
    """Can a question be shown, and an answer typed?"""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def chosen(options: Sequence[str]) -> int:
    """Show the options and return the position of the one chosen; Enter takes the first."""
    for number, option in enumerate(options, start=1):
        click.echo(f"  {number}  {option}", err=True)
    kind = click.IntRange(1, len(options))
    answer: int = click.prompt("Which", type=kind, default=1, err=True)
    return answer - 1


def agreed(question: str, *, yes: bool) -> bool:
    """Ask, unless `--yes` was given. Where nobody can answer that is a mistake in the call: never a silent yes."""
    if yes:
        return True
    if not person_is_here():
        raise click.UsageError(f"{question} Nobody is here to answer; add --yes.", click.get_current_context())
    return click.confirm(question, default=False, err=True)
