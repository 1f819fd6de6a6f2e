"""Start, keep and end the processes of one model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, StorageError
from llm_orc.processes.child import Child
from llm_orc.providers.official_cli.child_env import child_env
from llm_orc.providers.official_cli.program import Call
from llm_orc.providers.official_cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.net.options import NetworkSettings
    from llm_orc.providers.base import Message
    from llm_orc.providers.official_cli.program import OfficialCli
    from llm_orc.providers.official_cli.slots import LoginSingleFlight, Slots
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.schemas.walk import Schema


class ProcessPool:
    """Starts, keeps and ends the processes of one model."""

    def __init__(
        self,
        program: OfficialCli,
        state: CliState,
        base_url: str | None,
        *,
        environ: Mapping[str, str],
        slots: Slots,
        first: LoginSingleFlight,
        network: NetworkSettings,
    ) -> None:
        self.program, self.first = program, first
        self._network = network
        self._state, self._base_url, self._environ, self._slots = state, base_url, environ, slots
        self._resting: dict[str, Session] = {}
        self._sessions: set[Session] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    async def resume(
        self, conversation: str | None, history: tuple[Message, ...], system_prompt: str
    ) -> Session | None:
        """Return the process that has exactly these turns, if there is one; end one that has others."""
        session = None if conversation is None else self._resting.pop(conversation, None)
        if session is None or not await self._slots.wake(session):
            return None
        if session.is_alive and session.held == history and session.call.system_prompt == system_prompt:
            return session
        await session.end()
        return None

    async def begin(
        self, model: str | None, system_prompt: str, max_tokens: int | None, schema: Schema | None = None
    ) -> Session:
        """Start a process as soon as a slot is free. Raises `AccessNotSupported` if it fails."""
        await self._slots.enter()
        try:
            await self._slots.starting.acquire()
            try:
                self.first.refuse()  # another call may have found the plan used up meanwhile
                call, child = await self._start(model, system_prompt, max_tokens, schema)
            except BaseException:
                self._slots.starting.release()
                raise
        except BaseException:
            await self._slots.leave()
            raise
        session = Session(self.program, call, child, self._slots, self._network, on_end=self._sessions.discard)
        self._sessions.add(session)
        return session

    async def rest(self, conversation: str, session: Session) -> None:
        """Keep the process for the next turn of `conversation`, until its slot is needed."""
        before = self._resting.pop(conversation, None)
        self._resting[conversation] = session
        await self._slots.rest(session, lambda: session.end(gives_slot_back=False))
        if before is not None and await self._slots.wake(before):
            await before.end()

    def dismiss(self, session: Session, *, gently: bool) -> None:
        """End the process while its answer is already being delivered."""
        task = asyncio.ensure_future(session.end(gently=gently))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def end_resting(self) -> None:
        """End the processes that only wait for the next turn of their conversation; it then starts anew."""
        resting, self._resting = list(self._resting.values()), {}
        for session in resting:
            if await self._slots.wake(session):
                await session.end()

    async def close(self) -> None:
        for session in list(self._sessions):
            await session.end()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _start(
        self, model: str | None, system_prompt: str, max_tokens: int | None, schema: Schema | None
    ) -> tuple[Call, Child]:
        try:
            room = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="llm-orc-"))  # 0700
        except OSError as e:
            raise _no_room(self.program, e) from e
        call = Call(model, system_prompt, max_tokens, self._base_url, room, self._state.models, schema)
        try:
            return call, await self._start_in(call)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(_remove, room))
            raise

    async def _start_in(self, call: Call) -> Child:
        env = child_env(self._environ, self.program.row.variables, self.program.variables(call.room, call))
        try:
            desk, argv = await asyncio.to_thread(self._furnish, call, env)
        except OSError as e:
            raise _no_room(self.program, e) from e
        try:
            return await Child.start(
                argv, env, desk, most_bytes=self._network.max_answer_bytes, framing=self.program.framing
            )
        except OSError as e:
            raise AccessNotSupported(
                f"`{self.program.command}` can't be started: {e.strerror or e}", hint=self.program.row.install_hint
            ) from e

    def _furnish(self, call: Call, env: Mapping[str, str]) -> tuple[Path, tuple[str, ...]]:
        """Create the program's empty working directory, and return it with the command line."""
        for name, text in self.program.files(call).items():
            file = call.room / name
            file.touch(mode=0o600)
            file.write_text(text, encoding="utf-8", errors="replace")
        desk = call.room / "desk"
        desk.mkdir(mode=0o700)
        return desk, (str(self._state.path), *self.program.arguments(call, env))


def _no_room(program: OfficialCli, error: OSError) -> StorageError:
    place = tempfile.gettempdir()
    return StorageError(
        f"`{program.command}` can't be given a directory in `{place}`: {error.strerror or error}",
        hint="Free space there, or set the environment variable TMPDIR to another directory.",
    )


def _remove(room: Path) -> None:
    shutil.rmtree(room, ignore_errors=True)
