"""Where the turns of a chat come from: a person at a terminal, or a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import CancelledError as FutureCancelled
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from llm_orc.cli.shell.input.standard_input import may_be_piped
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import prompt_output
from llm_orc.errors import InputError, StorageError
from llm_orc.storage.atomic import make_private_directory
from llm_orc.storage.private_file import prepare_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from prompt_toolkit.completion import CompleteEvent, Completer
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

LONGEST_LINE = 10 * 1024 * 1024  # bytes


class Interrupted(Exception):
    """Ctrl-C before anything was typed."""


class Lines(Protocol):
    """`is_person`: can a question be asked? `takes_ctrl_c`: is Ctrl-C a key here, not a signal?"""

    is_person: bool
    takes_ctrl_c: bool

    async def next(self) -> str | None:
        """Return the next turn, None at the end. Raises `Interrupted`, `InputError`."""
        ...

    async def choose(self, options: list[str]) -> int:
        """Show the options and return the index of the one chosen; the last one if none is chosen."""
        ...


class TypedLines:
    """A prompt with editing, history and completion. Enter sends; Alt-Enter or Ctrl-J starts a new line."""

    is_person = True
    takes_ctrl_c = True

    def __init__(self, history: Path, complete: Callable[[str], Iterable[tuple[str, str]]]) -> None:
        """`complete` returns possible completions of the line, each with a description."""
        from prompt_toolkit import PromptSession

        self._prompt: PromptSession[str] = PromptSession(
            history=_history(history),
            completer=_completer(complete),
            complete_while_typing=False,
            multiline=True,
            prompt_continuation="… ",
            key_bindings=_keys(),
            output=prompt_output(),
            enable_open_in_editor=True,
            mouse_support=False,
        )

    async def next(self) -> str | None:
        try:
            return await self._prompt.prompt_async("> ", handle_sigint=False)
        except KeyboardInterrupt:
            if self._prompt.default_buffer.text:
                return ""
            raise Interrupted from None
        except EOFError:
            return None

    async def choose(self, options: list[str]) -> int:
        from prompt_toolkit import PromptSession

        for number, option in enumerate(options, start=1):
            note(f"  {number}  {option}")
        asking: PromptSession[str] = PromptSession(output=prompt_output())
        while True:
            try:
                answer = await asking.prompt_async(f"Which [1-{len(options)}] ", handle_sigint=False)
            except (KeyboardInterrupt, EOFError):
                return len(options) - 1
            if answer.strip().isdecimal() and 1 <= int(answer) <= len(options):
                return int(answer) - 1


class OneTurn:
    """A text that was piped in: the only turn."""

    is_person = False
    takes_ctrl_c = False

    def __init__(self, text: str) -> None:
        self._text: str | None = text

    async def next(self) -> str | None:
        text, self._text = self._text, None
        return text

    async def choose(self, options: list[str]) -> int:
        return len(options) - 1


class PlainLines:
    """Every non-empty line of standard input is a turn. For pipes, and for terminals without editing.

    `prompt` is shown to a person before each line; None: there is no person, and a pipe without any line is a
    mistake.
    """

    takes_ctrl_c = False

    def __init__(self, prompt: str | None = None) -> None:
        self.is_person = prompt is not None
        self._shown = prompt or ""
        self._lines: asyncio.Queue[bytes | OSError] = asyncio.Queue(maxsize=1)
        self._number = 0
        self._has_given = False  # a turn
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._pump, args=(loop,), name="standard input", daemon=True).start()

    async def next(self) -> str | None:
        while True:
            self._show(self._shown)
            line = await self._lines.get()
            self._number += 1
            if isinstance(line, OSError):
                raise InputError(f"can't read standard input: {line.strerror or line}")
            if not line:
                if not self._has_given and may_be_piped():
                    raise InputError("standard input is empty", hint="Pipe in at least one line: each is a turn.")
                return None
            if len(line) > LONGEST_LINE:
                raise InputError(f"line {self._number} of standard input is too long", hint="None of it was sent.")
            try:
                text = line.decode("utf-8-sig" if self._number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as e:
                raise InputError(
                    f"line {self._number} of standard input is not UTF-8 text", hint="Save it as UTF-8 text."
                ) from e
            if text.strip():
                self._has_given = True
                return text

    async def choose(self, options: list[str]) -> int:
        if not self.is_person:
            return len(options) - 1
        for number, option in enumerate(options, start=1):
            note(f"  {number}  {option}")
        while True:
            self._show(f"Which [1-{len(options)}] ")
            line = await self._lines.get()
            if isinstance(line, OSError) or not line:
                return len(options) - 1
            answer = line.strip()
            if answer.isdigit() and 1 <= int(answer) <= len(options):
                return int(answer) - 1

    @staticmethod
    def _show(text: str) -> None:
        if text:
            sys.stderr.write(text)
            sys.stderr.flush()

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read in a separate thread: nothing else can stop waiting on every platform."""
        with suppress(RuntimeError, FutureCancelled):  # the chat has ended
            for line in _read_lines():
                asyncio.run_coroutine_threadsafe(self._lines.put(line), loop).result()


def _read_lines() -> Iterator[bytes | OSError]:
    """Yield lines, then an empty one, or the error. Reads the descriptor: `sys.stdin` has a lock, which a thread
    that is still waiting when the program ends would hold.
    """
    rest = b""
    while True:
        try:
            read = os.read(0, 1 << 16)
        except OSError as e:
            yield e
            return
        *lines, rest = (rest + read).split(b"\n") if read else (rest, b"")
        yield from (line + b"\n" for line in lines if read or line)
        if len(rest) > LONGEST_LINE:
            yield rest
            return
        if not read:
            yield b""
            return


def _history(path: Path) -> History:
    """Return the input history, readable by its owner only; in memory if the file can't be used."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        make_private_directory(path.parent)
        prepare_private(path)
    except (OSError, StorageError):
        return InMemoryHistory()
    return FileHistory(path)


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _completer(complete: Callable[[str], Iterable[tuple[str, str]]]) -> Completer:
    from prompt_toolkit.completion import Completer, Completion

    class Commands(Completer):
        def get_completions(self, document: Document, _event: CompleteEvent) -> Iterable[Completion]:
            before = document.text_before_cursor
            for whole, about in complete(before):
                yield Completion(whole, start_position=-len(before), display_meta=about)

    return Commands()
