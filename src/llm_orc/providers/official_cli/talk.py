"""A process and the conversation that it holds."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.errors import ReplyTimedOut, ReplyUnreadable
from llm_orc.providers.official_cli.process import LineTooLong
from llm_orc.providers.official_cli.program import Answered, Answering, Piece, TriesAgain

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.providers.base import Message, ReplyObserver
    from llm_orc.providers.dialect import Target
    from llm_orc.providers.official_cli.gate import Gate
    from llm_orc.providers.official_cli.process import Child
    from llm_orc.providers.official_cli.program import Call, OfficialCli

_EXIT_S = 2.0  # to leave by itself, once its input has ended


class Talk:
    """Holds a slot of the gate until it has ended. `held` are the turns that the process knows."""

    def __init__(
        self, program: OfficialCli, call: Call, child: Child, gate: Gate, *, on_end: Callable[[Talk], None]
    ) -> None:
        self.held: tuple[Message, ...] = ()
        self.call = call
        self._program, self._child, self._gate, self._on_end = program, child, gate, on_end
        self._is_starting = True  # holds a place among those that start
        self._ending: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        return self._ending is None and self._child.is_alive

    async def answer(
        self,
        prompt: str,
        target: Target,
        watcher: ReplyObserver | None,
        *,
        is_last: bool,
        taken: Callable[[], None],
        silence_s: float,
        first_attempt: int,
    ) -> Answered:
        """Take one turn. Raises `LlmOrcError`; the process is of no more use then, nor after a cancellation."""
        reader = self._program.reader(target, self.call)
        await self._child.send(self._program.turn(prompt), is_last=is_last)
        attempt = first_attempt
        while True:
            line = await self._line(target, silence_s)
            self._started()
            if line is None:
                raise reader.ended(*await self._child.complaint())
            meaning = reader.read(line)
            match meaning:
                case Answering():
                    taken()
                case Piece(text) if watcher is not None:
                    watcher.text(text)
                case TriesAgain(error, _, delay_s) if watcher is not None:
                    attempt += 1
                    watcher.retrying(error, attempt, delay_s)
                case Answered():
                    taken()
                    return meaning
                case _:
                    pass

    async def end(self, *, gently: bool = False, gives_slot_back: bool = True) -> None:
        """End the process and remove its room; goes on to the end even where the caller is cancelled."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end(gently=gently, gives_slot_back=gives_slot_back))
        await asyncio.shield(self._ending)

    async def _end(self, *, gently: bool, gives_slot_back: bool) -> None:
        try:
            if gently:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_EXIT_S):
                        while await self._child.line() is not None:
                            pass
                        await self._child.complaint()
            await self._child.stop()
        finally:
            self._started()
            await asyncio.to_thread(shutil.rmtree, self.call.room, ignore_errors=True)
            if gives_slot_back:
                await self._gate.leave()
            self._on_end(self)

    async def _line(self, target: Target, silence_s: float) -> bytes | None:
        try:
            async with asyncio.timeout(silence_s):
                return await self._child.line()
        except TimeoutError:
            raise ReplyTimedOut(
                f"{target} fell silent: `{self._program.command}` wrote nothing for {silence_s:g} s.",
                hint="Raise `network.idle_timeout_seconds`, or use a faster model.",
            ) from None
        except LineTooLong:
            raise ReplyUnreadable(f"{target} gave a line without an end.") from None

    def _started(self) -> None:
        if self._is_starting:
            self._is_starting = False
            self._gate.starting.release()
