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

    from prompt_toolkit.output import Output

_NO_INPUT = "LLM_ORC_NO_INPUT"
_NARROWEST = 20
_BETWEEN = " · "  # the parts of an option
_KEPT = "\x00"  # a space where no line ends
_SIDES = 4  # the space at both sides of a question
_INDENT = "      "  # of continuation lines, below the first line's text
_MARGIN = 12  # the symbol, the number, and the space around them


def ask_nothing() -> None:
    """Let this process ask no question, as `--no-input` says."""
    os.environ[_NO_INPUT] = "1"


def may_ask() -> bool:
    """Say whether questions are allowed: neither `--no-input` nor its variable forbids them."""
    return os.environ.get(_NO_INPUT, "0").lower() in {"", "0", "false", "no"}


def person_is_here() -> bool:
    """Can a question be shown and an answer typed, and may it be asked?"""
    return may_ask() and is_terminal(sys.stdin) and is_terminal(sys.stderr)


def nobody_to_ask() -> str:
    """Return why no question can be asked, to begin an error with."""
    return "there is no terminal to ask in" if may_ask() else "nothing may be asked (`--no-input`)"


def chosen(options: Sequence[str]) -> int:
    """Show the options and return the index of the one chosen; Enter takes the first."""
    width = max(_NARROWEST, shutil.get_terminal_size().columns - len(_INDENT) - 1)
    for number, option in enumerate(options, start=1):
        note(f"{number:>4}  {_wrapped(option, width)}")
    kind = click.IntRange(1, len(options))
    answer: int = click.prompt("Which", type=kind, default=1, err=True)
    return answer - 1


def agreed(question: str, *, yes: bool) -> bool:
    """Ask, unless `--yes` was given. Without a terminal that is a usage error, never silent consent."""
    if yes:
        return True
    if not person_is_here():
        raise UsageMistake(f"{nobody_to_ask()}: {question}", hint="Agree with --yes.")
    return confirmed(question)


def confirmed(question: str, *, default: bool = False) -> bool:
    """Ask the person at the terminal. Quoted values are shown with escapes, host names in ASCII too."""
    width = max(_NARROWEST, shutil.get_terminal_size().columns - len(" [y/N]: ") - 1)
    lines = (_wrapped(line, width, "") for line in unmistakable(question).split("\n"))
    return click.confirm("\n".join(lines), default=default, err=True)


def _wrapped(option: str, width: int, indent: str = _INDENT) -> str:
    """Return the text on as many lines as it needs: it says who pays, and is never shortened.

    Each of its parts is on one line, if it fits there.
    """
    parts = [part.replace(" ", _KEPT) if len(part) < width else part for part in option.split(_BETWEEN)]
    return f"\n{indent}".join(wrap(_BETWEEN.join(parts), width, break_on_hyphens=False)).replace(_KEPT, " ")


def _asked(question: str, options: Sequence[str]) -> str:
    """Return the question in whole words; where the options don't fit on the screen, it says how to see all."""
    size = shutil.get_terminal_size()
    shown = _wrapped(question, max(_NARROWEST, size.columns - _SIDES), "")
    if sum(option.count("\n") + 1 for option in options) + shown.count("\n") + 1 < size.lines:
        return shown
    return _wrapped(f"{question} ({len(options)} choices: the arrow keys show all)", size.columns - _SIDES, "")


def prompt_output() -> Output:
    """Return where prompt-toolkit draws: stderr, with colours as for all other messages."""
    # Otherwise it warns about terminals that can't report the cursor's position, which isn't needed.
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    from prompt_toolkit.output import ColorDepth, create_output

    if not has_colour(sys.stderr):
        os.environ["PROMPT_TOOLKIT_COLOR_DEPTH"] = ColorDepth.DEPTH_1_BIT.value
    return create_output(stdout=sys.stderr)


def select(question: str, options: Sequence[str], *, default: int = 0) -> int:
    """Return the index of the chosen option; Enter takes the default."""
    question, options = unmistakable(question), [unmistakable(option) for option in options]
    if not moves_cursor(sys.stderr):
        note(_wrapped(question, max(_NARROWEST, shutil.get_terminal_size().columns - 1), ""))
        return chosen(options)
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.shortcuts import choice
    from prompt_toolkit.styles import Style

    width = max(_NARROWEST, shutil.get_terminal_size().columns - _MARGIN)
    style = Style.from_dict({"selected-option": "bold"})
    wrapped = [_wrapped(option, width) for option in options]
    with create_app_session(output=prompt_output()):
        return choice(
            _asked(question, wrapped),
            options=[*enumerate(wrapped)],
            default=default,
            style=style,
        )
