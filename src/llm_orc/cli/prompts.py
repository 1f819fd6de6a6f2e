"""Questions to the person at the terminal."""

from __future__ import annotations

import sys

import click

from llm_orc.cli.streams import is_terminal


def agreed(question: str, *, yes: bool) -> bool:
    """Ask, unless `--yes` was given. Where nobody can answer that is a mistake in the call: never a silent yes."""
    if yes:
        return True
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise click.UsageError(f"{question} Nobody is here to answer; add --yes.", click.get_current_context())
    return click.confirm(question, default=False, err=True)
