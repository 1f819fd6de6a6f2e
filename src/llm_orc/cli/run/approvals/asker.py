"""Ask the person at the terminal what an agent asks, while the run goes on."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from llm_orc.app.approvals.desk import Reply
from llm_orc.cli.run.approvals.words import note_question
from llm_orc.cli.shell.output.streams import moves_cursor, note
from llm_orc.cli.shell.prompts import person_is_here, prompt_output
from llm_orc.formats.printable import unmistakable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from llm_orc.engine.events import ApprovalAsked

LATER = "Not now: the run waits, and can be answered later"


class _Left(Exception):
    """Ctrl-C at the question."""


class TerminalAsker:
    """Implements `app.approvals.desk.AskHere`: one question at a time. `aside` puts the view of the run away."""

    def __init__(self, aside: Callable[[], AbstractContextManager[None]]) -> None:
        self._aside = aside
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, asked: ApprovalAsked) -> Reply | None:
        async with self._one_at_a_time:
            with self._aside():
                note_question(asked)
                try:
                    return await _reply_to(asked)
                except (_Left, KeyboardInterrupt, EOFError):
                    note(f"{LATER}.")
                    return None


def asker(aside: Callable[[], AbstractContextManager[None]]) -> TerminalAsker | None:
    """Return what asks the person who is here; None: nobody is, or may be asked."""
    return TerminalAsker(aside) if person_is_here() else None


async def _reply_to(asked: ApprovalAsked) -> Reply | None:
    if not asked.choices:
        note("Your answer (Enter alone: not now):")
        text = (await _typed("> ")).strip()
        return Reply(text=text) if text else None
    options = [*(unmistakable(choice) for choice in asked.choices), LATER]
    number = await (_selected if moves_cursor(sys.stderr) else _numbered)(options)
    return Reply(asked.choices[number]) if number < len(asked.choices) else None


async def _selected(options: list[str]) -> int:
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.shortcuts.choice_input import ChoiceInput
    from prompt_toolkit.styles import Style

    with create_app_session(output=prompt_output()):
        menu = ChoiceInput(
            message="Your answer:",
            options=[*enumerate(options)],
            default=len(options) - 1,  # nothing is decided by one key too many
            style=Style.from_dict({"selected-option": "bold"}),
            interrupt_exception=_Left,
        )
        return await menu.prompt_async()


async def _numbered(options: list[str]) -> int:
    for number, option in enumerate(options, start=1):
        note(f"{number:>4}  {option}")
    while True:
        typed = (await _typed(f"Which [1-{len(options)}]: ")).strip()
        if typed.isdecimal() and 1 <= int(typed) <= len(options):
            return int(typed) - 1


async def _typed(prompt: str) -> str:
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(output=prompt_output())
    return await session.prompt_async(prompt, handle_sigint=False)
