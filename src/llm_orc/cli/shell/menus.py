"""A menu: arrow keys in a terminal that can be painted, a number where it can't."""

from __future__ import annotations

import os
import shutil
import sys
from textwrap import wrap
from typing import TYPE_CHECKING

from llm_orc.cli.shell.prompts import chosen
from llm_orc.cli.shell.streams import has_colour, moves_cursor, note
from llm_orc.formats.printable import unmistakable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NARROWEST = 20
_INDENT = "     "  # of further lines, below the first one's words
_MARGIN = 12  # the symbol, the number, the space around them, and the indentation of further lines


def _wrapped(option: str, width: int) -> str:
    """Return the option on as many lines as it needs: who pays stands in it, and is never cut."""
    return f"\n{_INDENT}".join(wrap(option, width, break_on_hyphens=False))


def select(question: str, options: Sequence[str], *, default: int = 0) -> int:
    """Return the position of the option that was chosen; Enter takes the default."""
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
