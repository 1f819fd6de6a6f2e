"""Questions to the person at the terminal: yes or no, and menus by arrow keys, or by number."""

from __future__ import annotations

import os
import shutil
import sys
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.output.streams import has_colour, is_terminal, moves_cursor, note
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.printable import unmistakable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NARROWEST = 20
_INDENT = "     "  # of continuation lines, below the first line's text
_MARGIN = 12  # the symbol, the number, the space around them, and the indentation of continuation lines


def person_is_here() -> bool:
    """Can a question be shown and an answer typed?"""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def chosen(options: Sequence[str]) -> int:
    """Show the options and return the index of the one chosen; Enter takes the first."""
    for number, option in enumerate(options, start=1):
        note(f"  {number}  {option}")
    kind = click.IntRange(1, len(options))
    answer: int = click.prompt("Which", type=kind, default=1, err=True)
    return answer - 1


def agreed(question: str, *, yes: bool) -> bool:
    """Ask, unless `--yes` was given. Without a terminal that is a usage error, never silent consent."""
    if yes:
        return True
    if not person_is_here():
        raise UsageMistake(f"there is no terminal to ask in: {question}", hint="Agree with --yes.")
    return confirmed(question)


def confirmed(question: str, *, default: bool = False) -> bool:
    """Ask the person at the terminal. Quoted values are shown with escapes, host names in ASCII too."""
    return click.confirm(unmistakable(question), default=default, err=True)


def _wrapped(option: str, width: int) -> str:
    """Return the option on as many lines as it needs: it says who pays, and is never shortened."""
    return f"\n{_INDENT}".join(wrap(option, width, break_on_hyphens=False))


def select(question: str, options: Sequence[str], *, default: int = 0) -> int:
    """Return the index of the chosen option; Enter takes the default."""
    question, options = unmistakable(question), [unmistakable(option) for option in options]
    if not moves_cursor(sys.stderr):
        note(question)
        return chosen(options)
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.output import ColorDepth, create_output
    from prompt_toolkit.shortcuts import choice
    from prompt_toolkit.styles import Style

    width = max(_NARROWEST, shutil.get_terminal_size().columns - _MARGIN)
    colours = has_colour(sys.stderr)
    if not colours:
        os.environ.setdefault("PROMPT_TOOLKIT_COLOR_DEPTH", ColorDepth.DEPTH_1_BIT.value)
    style = Style.from_dict({"selected-option": "bold"})
    with create_app_session(output=create_output(stdout=sys.stderr)):
        return choice(
            question,
            options=[(number, _wrapped(option, width)) for number, option in enumerate(options)],
            default=default,
            style=style,
        )
