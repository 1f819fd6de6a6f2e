"""A process and its conversation."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.errors import ReplyTimedOut, ReplyTooLarge, ReplyUnreadable
from llm_orc.net.text import one_line
from llm_orc.processes.child import TooMuchOutput
from llm_orc.providers.official_cli.lines import fields_of
from llm_orc.providers.official_cli.program import Answered, Answering, Piece, Respond, TriesAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.errors import LlmOrcError
    from llm_orc.net.options import NetworkSettings
    from llm_orc.processes.child import Child
    from llm_orc.providers.base import Message, ReplyObserver, Target
    from llm_orc.providers.official_cli.program import Call, Meaning, OfficialCli, TurnReader
    from llm_orc.providers.official_cli.slots import Slots
    from llm_orc.providers.parts import Attachment

_EXIT_S = 2.0  # to exit by itself, once its input has ended
_LAST_LOOK_S = 0.2  # after a timeout: what arrived while we were suspended is still read
_MOST_TRIES = 15  # the program's own retries in one turn
_MOST_STRAY_LINES = 1000  # lines that are not JSON, in one turn
_MOST_STRAY_BYTES = 1_000_000


class Session:
    """Holds a slot until it has ended. `held` are the turns that the process has."""

    def __init__(
        self,
        program: OfficialCli,
        call: Call,
        child: Child,
        slots: Slots,
        network: NetworkSettings,
        *,
        on_end: Callable[[Session], None],
    ) -> None:
        self.held: tuple[Message, ...] = ()
        self.call = call
        self._program, self._child, self._slots, self._network = program, child, slots, network
        self._on_end = on_end
        self._is_starting = True  # occupies a start slot
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
        first_attempt: int,
        files: Sequence[Attachment] = (),
    ) -> Answered:
        """Take one turn. Raises `LlmOrcError`; after that, or a cancellation, the process is unusable."""
        turn = _Turn(
            self._program, self._child, self._program.reader(target, self.call, prompt), target, self._network
        )
        await turn.begin(self._program.turn(prompt, files), is_last=is_last)
        attempt = first_attempt
        while True:
            meaning = await turn.next()
            self._started()
            match meaning:
                case Answering():
                    taken()
                case Respond(line, is_accepted):
                    if is_accepted:
                        taken()
                    await self._child.write(line)
                case Piece(text) if watcher is not None:
                    watcher.text(text)
                case TriesAgain(error, delay_s):
                    attempt += 1
                    if attempt - first_attempt > _MOST_TRIES:
                        raise error
                    if watcher is not None:
                        watcher.retrying(error, attempt, delay_s)
                case Answered():
                    taken()
                    return meaning
                case _:
                    pass

    async def end(self, *, gently: bool = False, gives_slot_back: bool = True) -> None:
        """End the process and remove its room; completes even if the caller is cancelled."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end(gently=gently, gives_slot_back=gives_slot_back))
        await asyncio.shield(self._ending)

    async def _end(self, *, gently: bool, gives_slot_back: bool) -> None:
        try:
            if gently:
                with suppress(TimeoutError, TooMuchOutput):
                    async with asyncio.timeout(_EXIT_S):
                        while await self._child.line() is not None:
                            pass
                        await self._child.end()
            await self._child.stop()
        finally:
            self._started()
            await asyncio.to_thread(shutil.rmtree, self.call.room, ignore_errors=True)
            if gives_slot_back:
                await self._slots.leave()
            self._on_end(self)

    def _started(self) -> None:
        if self._is_starting:
            self._is_starting = False
            self._slots.starting.release()


class _Turn:
    """Reads one turn within its limits: silence, total time, and lines that are not the program's."""

    def __init__(
        self,
        program: OfficialCli,
        child: Child,
        reader: TurnReader,
        target: Target,
        network: NetworkSettings,
    ) -> None:
        self._program, self._child, self._reader = program, child, reader
        self._target, self._network = target, network
        self._clock = asyncio.get_running_loop().time
        self._latest_end = self._clock() + network.answer_timeout_s
        self._silent_until = self._last_look_until = self._read_until = 0.0
        self._progressed()
        self._strays = self._stray_bytes = 0
        self._first_stray = ""

    async def begin(self, text: bytes, *, is_last: bool) -> None:
        try:
            async with asyncio.timeout_at(self._silent_until):
                await self._child.send(text, is_last=is_last)
        except TimeoutError:
            raise self._timed_out() from None

    async def next(self) -> Meaning:
        """Return what its next line means. Raises the error of that line, of silence or of its end."""
        while True:
            line = await self._line()
            if line is None:
                raise await self._ended()
            said = fields_of(line)
            if said is None:
                self._passed_over(line)
                continue
            meaning = self._reader.read(said)
            if meaning is not None and not isinstance(meaning, TriesAgain):
                self._progressed()
            return meaning

    async def _line(self) -> bytes | None:
        self._refuse_endless()
        end = self._last_look_until or min(self._silent_until, self._latest_end)
        while True:
            try:
                async with asyncio.timeout_at(end):
                    return await self._child.line()
            except TimeoutError:
                if self._last_look_until:
                    raise self._timed_out() from None
                self._last_look_until = end = self._clock() + _LAST_LOOK_S
            except TooMuchOutput:
                raise ReplyTooLarge(
                    f"{self._target} wrote more than {self._network.max_answer_mb} MB for one answer, or one line"
                    " of more than 16 MB; it was stopped",
                    hint=f"Try it by hand: {self._program.command}. If such answers are expected, raise"
                    " `network.max_answer_mb`.",
                ) from None

    def _refuse_endless(self) -> None:
        """After the total time, what has arrived is still read, and nothing that arrives later."""
        now = self._clock()
        if now >= self._latest_end:
            self._read_until = self._read_until or now + _LAST_LOOK_S
            if now > self._read_until:
                raise self._timed_out()

    def _progressed(self) -> None:
        self._silent_until = self._clock() + self._network.idle_timeout_s
        self._last_look_until = 0.0

    def _timed_out(self) -> ReplyTimedOut:
        command, network = self._program.command, self._network
        if self._clock() >= self._latest_end:
            return ReplyTimedOut(
                f"the answer of {self._target} did not end within {network.answer_timeout_s:g} s",
                hint="Raise `network.answer_timeout_seconds`, or request less at once.",
            )
        stray = f" (it wrote: {self._first_stray})" if self._first_stray else ""
        return ReplyTimedOut(
            f"{self._target} fell silent: `{command}` made no progress for {network.idle_timeout_s:g} s{stray}",
            hint="Raise `network.idle_timeout_seconds`, or use a faster model.",
        )

    async def _ended(self) -> LlmOrcError:
        exit_code, complaint = await self._child.complaint()
        return self._reader.ended(exit_code, complaint or self._first_stray)

    def _passed_over(self, line: bytes) -> None:
        """Skip stray lines, such as warnings: a few are harmless, many are an error."""
        self._strays += 1
        self._stray_bytes += len(line)
        self._first_stray = self._first_stray or one_line(line[:400].decode("utf-8", "replace"), 120)
        if self._strays > _MOST_STRAY_LINES or self._stray_bytes > _MOST_STRAY_BYTES:
            raise ReplyUnreadable(
                f"{self._target} wrote lines that are not JSON: {self._first_stray}",
                hint=f"Try it by hand: `{self._program.command}`.",
            )
