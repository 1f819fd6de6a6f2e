"""The chat loop: a turn, its answer, the next turn; and what the user can do in between."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.app.access.explain import preview_run
from llm_orc.app.conversations.chat import Chat
from llm_orc.app.files.given import NO_FILES_GIVEN, GivenFiles
from llm_orc.cli.chat.input import Interrupted, OneTurn, PlainLines, TypedLines
from llm_orc.cli.chat.slash_commands import Leave, Room, chosen_lines, complete, run_command
from llm_orc.cli.chat.view import ChatView
from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.approvals.asker import asker
from llm_orc.cli.shell.consent import Costly, ask_to_pay
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.output.background_writer import stdout_writer
from llm_orc.cli.shell.output.streams import Styled, moves_cursor, note, undelivered
from llm_orc.cli.shell.process.standard_streams import READER_GONE
from llm_orc.cli.shell.process.stop_signals import INTERRUPTED, stopped_by, stopping
from llm_orc.cli.shell.prompts import person_is_here
from llm_orc.engine.surprises import as_error
from llm_orc.errors import MeteredNotAllowed, StorageError
from llm_orc.formats.conversation import as_text
from llm_orc.formats.figures import count, spent_dollars
from llm_orc.net.event_loop import run_to_end

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Any

    from llm_orc.agents.spec import WhenFull
    from llm_orc.app.conversations.chat import ChatOptions
    from llm_orc.app.conversations.partner import Partner
    from llm_orc.app.wiring import App
    from llm_orc.cli.chat.input import Lines
    from llm_orc.cli.shell.approvals.asker import TerminalAsker
    from llm_orc.cli.shell.output.background_writer import DataWriter
    from llm_orc.runs.results import RunResult

_SHOWN_AGAIN = 2  # turns of each agent, when a chat is continued
_WAYS_OUT: tuple[tuple[WhenFull, str], ...] = (
    ("truncate-oldest", "Leave out the oldest turns"),
    ("summarise", "Summarise the older turns (one more call)"),
)


def talk(
    app: App,
    partner: Partner,
    options: ChatOptions,
    piped: str | None = None,
    given: GivenFiles = NO_FILES_GIVEN,
) -> int:
    """Chat to the end and return the exit code. Consent to calls that may cost is asked for before a turn.

    `given` are the files of the first turn. `piped` is the only turn; None: turns come from a person or, line by
    line, from standard input.
    """
    while True:
        try:
            return asyncio.run(_ChatLoop(app, piped, given).run(partner, options))
        except MeteredNotAllowed as refusal:
            consent, costly = options.consent, partial(_costly, app, partner)
            agreed = None if consent.includes(refusal) else ask_to_pay(app, refusal, costly, consent)
            if agreed is None:
                raise
            options = replace(options, consent=agreed)


def _costly(app: App, partner: Partner) -> Costly:
    ensemble = partner.in_force(app)
    plan = run_to_end(preview_run(app, ensemble, ""))
    return Costly("this chat", plan, ensemble, " for the first turn")


class _ChatLoop:
    def __init__(self, app: App, piped: str | None, given: GivenFiles) -> None:
        self._app, self._piped, self._given = app, piped, given
        self._answering: asyncio.Task[Any] | None = None
        self._view: ChatView
        self._lines: Lines | None = None
        self._main: asyncio.Task[Any] | None = None
        self._ended_by: int | None = None
        self._exit_code = 0  # of the first turn that failed
        self._data: DataWriter

    async def run(self, partner: Partner, options: ChatOptions) -> int:
        self._main = asyncio.current_task()
        self._data = stdout_writer(partial(self._end, READER_GONE))
        self._listen()
        conversation, is_kept = options.conversation or "", False
        try:
            async with AsyncExitStack() as stack:
                stack.enter_context(stopping(self._end))
                chat = await stack.enter_async_context(Chat(self._app, partner, options))
                conversation = chat.conversation
                await self._introduce(chat)
                self._lines = self._open_lines()
                try:
                    room = Room(self._app, chat, self._lines.choose, attached=[*self._given.files])
                    room.contents.update(self._given.contents)
                    await self._converse(room, self._lines)
                finally:
                    is_kept = bool(chat.turns(1)[0])
                self._say_goodbye(chat, is_person=self._lines.is_person)
        except asyncio.CancelledError:
            if self._data.failure is not None:
                kept = f"The conversation is kept: llm-orc conversations show {_quoted(conversation)}"
                raise undelivered(self._data.failure, kept if conversation else None) from None
            if self._ended_by is None:
                raise
            by = stopped_by(self._ended_by)
            note(f"\nStopped by {by}" + (": what was said is kept." if is_kept else "."))
            if is_kept:
                note(_continue_words(conversation))
            return self._ended_by
        return 0 if person_is_here() else self._exit_code

    async def _converse(self, room: Room, lines: Lines) -> None:
        interrupts = 0
        while True:
            try:
                text = await lines.next()
            except Interrupted:
                interrupts += 1
                if interrupts > 1:
                    return
                note("Ctrl-D or /exit leaves; so does another Ctrl-C.")
                continue
            interrupts = 0
            if text is None:
                return
            try:
                await self._turn(room, lines, text)
            except Leave:
                return
            except Exception as e:
                if not lines.is_person:
                    raise
                write_error(as_error(e))

    async def _turn(self, room: Room, lines: Lines, text: str) -> None:
        if not text.strip():
            return
        if text.startswith("/") and lines.is_person:  # anyone may have written what comes through a pipe
            said = text[1:] if text.startswith("//") else await run_command(room, text)
            if said is None:
                return
            text = said
        room.say(text)
        await self._say(room, lines, text, room.take_attached())

    async def _say(self, room: Room, lines: Lines, text: str, given: GivenFiles) -> None:
        chat = room.chat
        view = ChatView(len(chat.ensemble.agents), self._data)
        try:
            saying = chat.say(text, show=view.show, waiting=note, ask=self._asker(view), given=given)
            result = await self._interruptible(saying, view)
        except StorageError as e:
            if not lines.is_person:
                raise
            write_error(e)
            note("The model is asked all the same, but this turn is not stored: later turns won't include it.")
            saying = chat.say(text, show=view.show, waiting=note, ask=self._asker(view), keep=False, given=given)
            result = await self._interruptible(saying, view)
        if result is None:
            if not lines.is_person:
                self._exit_code = self._exit_code or INTERRUPTED
            return
        if lines.is_person and _is_full(result):
            note("Nothing was dropped. What do you want to do?")
            ways = [words for _, words in _WAYS_OUT]
            chosen = await lines.choose([*ways, "Nothing: leave it as it is"])
            if chosen < len(_WAYS_OUT):
                view = ChatView(len(chat.ensemble.agents), self._data)
                going = chat.go_on(result, _WAYS_OUT[chosen][0], show=view.show, ask=self._asker(view))
                result = await self._interruptible(going, view)
        if result is not None:
            self._exit_code = self._exit_code or result.exit_code
        await self._data.drained()

    async def _interruptible(self, answering: Coroutine[Any, Any, RunResult], view: ChatView) -> RunResult | None:
        """Wait for the answer; None if Ctrl-C stopped it."""
        task = asyncio.create_task(answering)
        self._answering, self._view = task, view
        try:
            result = await task
        except asyncio.CancelledError:
            if self._ended_by is not None or self._main is None or self._main.cancelling():
                raise
            view.close()
            ways = "; /retry asks again, /undo removes the turn" if person_is_here() else ""
            note(Styled(f"Stopped. What arrived is kept{ways}.", "dim"))
            return None
        else:
            if self._ended_by is not None:  # the end came while the turn was closing
                raise asyncio.CancelledError
            return result
        finally:
            self._answering = None
            view.close()

    def _asker(self, view: ChatView) -> TerminalAsker | None:
        """Return what asks the person; Ctrl-C at a question stops the turn."""

        @contextmanager
        def aside() -> Iterator[None]:
            with view.aside():
                yield
            self._listen()  # the question had the signal meanwhile

        return asker(aside, self._interrupt)

    def _open_lines(self) -> Lines:
        if self._piped is not None:
            return OneTurn(self._piped)
        if not person_is_here():
            return PlainLines()
        if not moves_cursor(sys.stderr):
            return PlainLines("> ")
        return TypedLines(self._app.paths.state / "chat_history", lambda before: complete(self._app, before))

    async def _introduce(self, chat: Chat) -> None:
        for line in access_lines(await chat.plan()):
            note(line)
        turns, earlier = chat.turns(_SHOWN_AGAIN * len(chat.ensemble.agents))
        if turns:
            for line in chosen_lines(chat.partner):
                note(line)
            note(f"Continuing conversation {chat.conversation}:\n")
            note(Styled(as_text(chat.conversation, turns, earlier), "dim"))
        elif person_is_here():
            note(f"Conversation {chat.conversation}, new.")
        if person_is_here():
            note("/help lists what you can do; Ctrl-D leaves.\n")

    @staticmethod
    def _say_goodbye(chat: Chat, *, is_person: bool) -> None:
        if chat.calls:
            note(f"{count(chat.calls, 'call')}, {spent_dollars(chat.spend)}")
        if is_person and chat.turns(1)[0]:
            note(_continue_words(chat.conversation))

    def _listen(self) -> None:
        """Handle signals for the whole chat: Ctrl-C stops an answer, or the chat if no answer is running."""
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(self._interrupt))
            return
        loop.add_signal_handler(signal.SIGINT, self._interrupt)

    def _interrupt(self) -> None:
        if self._answering is not None and not self._view.is_over:
            self._answering.cancel()
        elif self._lines is None or not self._lines.takes_ctrl_c:
            self._end(INTERRUPTED)

    def _end(self, exit_code: int) -> None:
        self._ended_by = exit_code
        if self._main is not None:
            self._main.cancel()


def _is_full(result: RunResult) -> bool:
    return any(agent.error is not None and agent.error.code == "conversation_full" for agent in result.agents)


def _continue_words(conversation: str) -> str:
    return f"Continue with: llm-orc chat --conversation {_quoted(conversation)}"


def _quoted(name: str) -> str:
    return quote(name)
