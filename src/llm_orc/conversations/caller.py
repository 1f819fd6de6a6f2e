"""Calls agents with their history, and stores new turns."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.spec import WhenFull
from llm_orc.agents.turn import ForwardingObserver
from llm_orc.conversations.context_window import ContextPolicy
from llm_orc.conversations.conversation import Question
from llm_orc.dataclass import dataclass
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError, StorageError

if TYPE_CHECKING:
    from llm_orc.agents.output import AgentOutput, ModelCall
    from llm_orc.agents.turn import AgentObserver, AgentTurn, CallAgent
    from llm_orc.auth.access import Access
    from llm_orc.conversations.lock import ConversationLock
    from llm_orc.providers.base import Message
    from llm_orc.providers.limits.plans import UsedUp


@dataclass(frozen=True, slots=True)
class Remembering:
    """Which agents use the conversation, and each one's system prompt: its role."""

    roles: Mapping[str, str | None]
    when_full: WhenFull = "error"


class ConversationCaller:
    """A question is on the disk before it is sent, an answer before it is returned; see `CallAgent`.

    An agent that has answered in an earlier attempt of the same run is not called again.
    """

    def __init__(self, call: CallAgent, speaking: ConversationLock, remembering: Remembering) -> None:
        self._call, self._speaking, self._remembering = call, speaking, remembering
        self._fitting = ContextPolicy(call, speaking, remembering.when_full)

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        agent = turn.path
        if agent not in self._remembering.roles:
            return await self._call(turn)
        if (known := await self._speaking.answered(agent)) is not None:
            return known
        role = turn.texts.get("system_prompt", self._remembering.roles[agent])
        question, history = await self._speaking.ask(Question(agent, turn.prompt, role, turn.files))
        observer = _Listening(turn.observer, self._speaking.hears(agent))
        conversation = f"{self._speaking.conversation.number}/{self._speaking.conversation.created_at}/{agent}"
        try:
            output = await self._fitting.answer(
                replace(turn, history=history, conversation=conversation, observer=observer)
            )
        except Exception:
            with suppress(StorageError):  # it stays open, and is marked as cut with the next turn
                await self._speaking.failed(question)
            raise
        try:
            await self._speaking.answer(question, output)
        except Exception as e:  # noqa: BLE001 - the answer is paid for, whatever the store says
            name = self._speaking.conversation.name
            turn.observer.notice(
                f"the answer has arrived, but can't be stored in conversation `{name}`: {as_error(e).message}"
            )
        return output


class HistoryCaller:
    """Gives agents a history, and stores nothing: for rehearsals, and for turns that a client brings along."""

    def __init__(self, call: CallAgent, histories: Mapping[str, tuple[Message, ...]]) -> None:
        self._call, self._histories = call, histories

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        return await self._call(replace(turn, history=self._histories.get(turn.path, ())))


class _Listening(ForwardingObserver):
    """Collects the answer as it arrives, so that a partial answer can be stored."""

    def __init__(self, observer: AgentObserver, pieces: list[str]) -> None:
        super().__init__(observer)
        self._pieces = pieces
        pieces.clear()

    def text(self, piece: str) -> None:
        self._pieces.append(piece)
        super().text(piece)

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        self._pieces.clear()
        super().switched(model, access, because)

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self._pieces.clear()
        super().retrying(error, attempt, delay_s)

    def rejected(self, call: ModelCall, error: LlmOrcError, attempt: int) -> None:
        self._pieces.clear()
        super().rejected(call, error, attempt)

    def waiting(self, for_plan: UsedUp) -> None:
        self._pieces.clear()
        super().waiting(for_plan)
