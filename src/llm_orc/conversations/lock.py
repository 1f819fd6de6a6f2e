"""Exclusive use of a conversation while a run lasts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from llm_orc.conversations import claims, turns
from llm_orc.conversations.claims import Claim
from llm_orc.conversations.conversation import Window
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from types import TracebackType

    from llm_orc.agents.output import AgentOutput
    from llm_orc.conversations.claims import Holder
    from llm_orc.conversations.conversation import Conversation, Question
    from llm_orc.conversations.store import ConversationStore
    from llm_orc.providers.base import Message

_LOOK_AGAIN_S = 0.2
_T = TypeVar("_T")


class ConversationLock:
    """Entering waits until the conversation is free; leaving marks unanswered turns as cut and releases it.

    `now` returns Unix seconds; `waiting` is called once with the present holder. Writes complete even if the
    caller is cancelled meanwhile.
    """

    def __init__(
        self,
        store: ConversationStore,
        conversation: Conversation,
        run_id: str,
        *,
        now: Callable[[], float],
        waiting: Callable[[Holder], None] = lambda _holder: None,
    ) -> None:
        self.conversation = conversation
        self._database = store.database
        self._claim = Claim(conversation.number, run_id)
        self._now, self._waiting = now, waiting
        self._partial: dict[str, list[str]] = {}
        self._writing: set[asyncio.Future[Any]] = set()
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._take()
        except BaseException:
            await self._let_go()
            raise
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self._let_go()

    async def answered(self, agent: str) -> AgentOutput | None:
        """Return this agent's answer in an earlier attempt of this run."""
        return await self._to_the_end(lambda c: turns.answered(c, self._claim, agent))

    async def ask(self, question: Question) -> tuple[int, tuple[Message, ...]]:
        """Store a question; return its number and the history.

        Raises `ConversationBusy`, `StorageError`.
        """
        return await self._to_the_end(lambda c: turns.ask(c, self._claim, question, self._now()))

    async def answer(self, question: int, output: AgentOutput) -> None:
        """Store an answer. Raises `StorageError`."""
        await self._to_the_end(lambda c: turns.answer(c, self._claim, question, output, self._now()))

    async def failed(self, question: int) -> None:
        """Note that no answer will come. Raises `StorageError`."""
        await self._to_the_end(lambda c: turns.failed(c, question))

    async def shorten(self, agent: str, keep: int, summary: str | None) -> None:
        """From now on give this agent only its newest `keep` turns. Raises `StorageError`."""
        await self._to_the_end(lambda c: turns.shorten(c, self._claim, agent, Window(keep, summary), self._now()))

    def hears(self, agent: str) -> list[str]:
        """Return the list for the pieces of this agent's answer: stored if it is cut."""
        return self._partial.setdefault(agent, [])

    async def _take(self) -> None:
        is_told = False
        while True:
            holder = await self._to_the_end(lambda c: claims.try_claim(c, self._claim, self._now()))
            if holder is None:
                return
            if not is_told:
                self._waiting(holder)
                is_told = True
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(claims.BEAT_S)
            with suppress(StorageError):  # the next heartbeat may find space on the disk
                await self._to_the_end(lambda c: claims.beat(c, self._claim, self._now()))

    async def _let_go(self) -> None:
        await asyncio.gather(*self._writing, return_exceptions=True)
        partial = {agent: "".join(pieces) for agent, pieces in self._partial.items()}
        with suppress(StorageError):  # a remaining lease will be taken over
            await self._to_the_end(lambda c: claims.release(c, self._claim, partial, self._now()))

    async def _to_the_end(self, write: Callable[[sqlite3.Connection], _T]) -> _T:
        writing = asyncio.wrap_future(self._database.submit(write))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return await asyncio.shield(writing)
