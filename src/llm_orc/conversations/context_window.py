"""When a conversation no longer fits its model: fail, leave out the oldest turns, or summarise them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.turn import ForwardingObserver
from llm_orc.conversations.turns import summary_turns
from llm_orc.errors import ConversationFull, PromptTooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.spec import WhenFull
    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.auth.access import Access
    from llm_orc.conversations.lock import ConversationLock
    from llm_orc.providers.base import Message

_KEPT_OF_TRUNCATED = 0.7  # of the characters, at each attempt
_KEPT_OF_SUMMARISED = 0.4
_SUMMARISE = (
    "Summarise our conversation so far, for yourself: you will continue it and see this summary in place of "
    "these turns. Keep every fact, figure, name, decision and open question, and who said what. Answer with the "
    "summary alone."
)


class ContextPolicy:
    """Answers turns; the policy only applies if a provider reports that a turn is too large."""

    def __init__(self, call: CallAgent, speaking: ConversationLock, policy: WhenFull) -> None:
        self._call, self._speaking, self._policy = call, speaking, policy

    async def answer(self, turn: AgentTurn) -> AgentOutput:
        """Return the answer. Raises `ConversationFull` if the history is too long and may not be shortened."""
        try:
            return await self._call(turn)
        except PromptTooLarge as e:
            if not turn.history:
                raise
            match self._policy:
                case "truncate-oldest":
                    return await self._without_the_oldest(turn)
                case "summarise":
                    return await self._with_a_summary(turn)
                case "error":
                    raise self._full(turn, e) from e

    def _full(self, turn: AgentTurn, cause: PromptTooLarge) -> ConversationFull:
        name = self._speaking.conversation.name
        return ConversationFull(
            f"conversation `{name}` no longer fits: agent `{turn.path}` has"
            f" {len(turn.history):,} turns in it; {cause.message}",
            hint="Continue with `--when-full truncate-oldest` (leaves out the oldest turns) or"
            " `--when-full summarise` (one more call); or start a new one with `--conversation NAME`.",
            status=cause.status,
            provider_message=cause.provider_message,
        )

    async def _without_the_oldest(self, turn: AgentTurn) -> AgentOutput:
        kept = newest(turn.history, _KEPT_OF_TRUNCATED)
        while (output := await self._unless_too_large(replace(turn, history=kept))) is None:
            kept = newest(kept, _KEPT_OF_TRUNCATED)
        await self._speaking.shorten(turn.path, len(kept), None)
        self._tell(turn, f"no longer receives the oldest {len(turn.history) - len(kept):,} turns")
        return output

    async def _unless_too_large(self, turn: AgentTurn) -> AgentOutput | None:
        try:
            return await self._call(turn)
        except PromptTooLarge:
            if not turn.history:
                raise
            return None

    async def _with_a_summary(self, turn: AgentTurn) -> AgentOutput:
        kept = newest(turn.history, _KEPT_OF_SUMMARISED)
        older = turn.history[: len(turn.history) - len(kept)]
        made = await self._summary(turn, older)
        role = next((m.system_prompt for m in (*kept, *older) if m.role == "user"), None)
        output = await self._call(replace(turn, history=(*summary_turns(made.text, role), *kept)))
        await self._speaking.shorten(turn.path, len(kept), made.text)
        self._tell(turn, f"receives a summary instead of the oldest {len(older):,} turns")
        return _together(output, made)

    async def _summary(self, turn: AgentTurn, older: Sequence[Message]) -> AgentOutput:
        """Request a summary of these turns; if they are too many for one call, of one half after the other."""
        asking = replace(
            turn,
            prompt=_SUMMARISE,
            history=tuple(older),
            conversation=None,
            observer=_Unheard(turn.observer),
            is_aside=True,
        )
        try:
            return await self._call(asking)
        except PromptTooLarge:
            later = newest(older, 0.5)
            if not later:
                raise
        first = await self._summary(turn, older[: len(older) - len(later)])
        second = await self._summary(turn, (*summary_turns(first.text, older[0].system_prompt), *later))
        return _together(second, first)

    def _tell(self, turn: AgentTurn, what: str) -> None:
        name = self._speaking.conversation.name
        turn.observer.notice(
            f"conversation `{name}` no longer fits the model: the agent {what}; all are kept in"
            f" `llm-orc conversations show {name}`"
        )


def newest(history: Sequence[Message], share: float) -> tuple[Message, ...]:
    """Return the newest turns, starting with the user's, with at most this share of the characters; never all."""
    most = share * sum(len(m.content) for m in history)
    size = 0
    start = len(history)
    for at in range(len(history) - 1, 0, -1):
        size += len(history[at].content)
        if size > most:
            break
        if history[at].role == "user":
            start = at
    return tuple(history[start:])


def _together(output: AgentOutput, extra: AgentOutput) -> AgentOutput:
    """Return the output, with the calls before it."""
    return replace(output, calls=(*extra.calls, *output.calls))


class _Unheard(ForwardingObserver):
    """For a call whose text is not an answer: only its failures are shown."""

    def calling(self, model: str, access: Access) -> None:
        return

    def text(self, piece: str) -> None:
        return
