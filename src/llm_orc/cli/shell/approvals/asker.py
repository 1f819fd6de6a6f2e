"""Ask the person at the terminal what an agent asks, while the run goes on."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from llm_orc.app.approvals.desk import Reply
from llm_orc.cli.shell.approvals.words import note_question
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
    """Implements `app.approvals.desk.AskHere`: one question at a time. `aside` puts the view of the run away.

    `give_up` is called for Ctrl-C at a question of a run that can't wait, and stops the run.
    """

    def __init__(
        self, aside: Callable[[], AbstractContextManager[None]], give_up: Callable[[], None] | None = None
    ) -> None:
        self._aside, self._give_up = aside, give_up
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, asked: ApprovalAsked) -> Reply | None:
        async with self._one_at_a_time:
            with self._aside():
                note_question(asked)
                can_wait = self._give_up is None and (asked.otherwise is None or asked.deadline is not None)
                try:
                    return await _reply_to(asked, can_wait=can_wait)
                except (_Left, KeyboardInterrupt, EOFError):
                    if self._give_up is None and not can_wait:
                        return None
                    if self._give_up is None:
                        note(f"{LATER}.")
                        return None
                    self._give_up()
            await asyncio.get_running_loop().create_future()  # until the run is stopped
            return None


def asker(
    aside: Callable[[], AbstractContextManager[None]], give_up: Callable[[], None] | None = None
) -> TerminalAsker | None:
    """Return what asks the person who is here; None: nobody is, or may be asked."""
    return TerminalAsker(aside, give_up) if person_is_here() else None


async def _reply_to(asked: ApprovalAsked, *, can_wait: bool) -> Reply | None:
    if not asked.choices:
        note("Your answer (Enter alone: not now):" if can_wait else "Your answer:")
        while not (text := (await _typed("> ")).strip()):
            if can_wait:
                return None
        return Reply(text=text)
    options = [unmistakable(choice) for choice in asked.choices]
    options += [LATER] if can_wait else []
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
