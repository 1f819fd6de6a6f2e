"""The dialogue of an agent that has tools: its model may ask for them before it answers."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.model.dialogue import Dialogue
from llm_orc.agents.model.ensemble_tools import ensemble_tools
from llm_orc.agents.time_limit import within_time_limit
from llm_orc.agents.tool_log.actions import NotKept, ToolTurn
from llm_orc.agents.tool_log.kept import KeptActions
from llm_orc.agents.tool_talk.talk import ToolTalk
from llm_orc.agents.tools.toolbox import Toolbox
from llm_orc.errors import InternalError, TurnsExhausted
from llm_orc.providers.base import Message
from llm_orc.providers.parts import ToolAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import AgentObserver
    from llm_orc.agents.work import ModelWork


class ToolDialogue(Dialogue):
    """The model may ask for tools before it answers, in so many turns as `max_turns` of the work says."""

    def __init__(self, context: AgentContext, work: ModelWork, toolbox: Toolbox, kept: KeptActions) -> None:
        super().__init__(context, work)
        self._max_turns, self._toolbox, self._kept = work.max_turns, toolbox, kept
        self._turns = 0
        self._talk = ToolTalk(toolbox.offers)

    async def ask(self, prompt: str, observer: AgentObserver | None = None) -> AgentOutput:
        """Return the answer to `prompt`. Raises `TurnsExhausted` if the model only asks for tools."""
        digest = _digest(prompt, self.system_prompt)
        said, results = prompt, tuple[ToolAnswer, ...]()
        while True:
            asked = self._kept.next_turn(digest)
            if asked is None:
                talk = replace(self._talk, results=results)
                output = await self.context.call_model(said, after=self.after, observer=observer, talk=talk)
                observer = None
                if output.wants is None:
                    self.add(self._said(said, results), Message("assistant", output.text))
                    return output
                asked = _turn_of(output, digest, self._kept.next_number)
                await self._kept.keep_turn(asked)
            self._take(asked)
            self._turns += 1
            if self._turns >= self._max_turns:
                raise self._exhausted()
            answers = await self._toolbox.carry_out(asked)
            self.add(self._said(said, results), Message("assistant", asked.text, calls=asked.calls, own=asked.own))
            said, results = "", answers

    def _said(self, prompt: str, results: tuple[ToolAnswer, ...]) -> Message:
        return Message("user", prompt, self.system_prompt, results=results)

    def _take(self, asked: ToolTurn) -> None:
        """Go on with the model of this turn; what only another one can read of the turns before it is dropped."""
        if self._talk.model and (self._talk.model, self._talk.access) != (asked.model, asked.call.access):
            self.after = tuple(replace(message, own=None) for message in self.after)
        self._talk = replace(self._talk, model=asked.model, access=asked.call.access)

    def _exhausted(self) -> TurnsExhausted:
        turns = "its only turn" if self._max_turns == 1 else f"all of its {self._max_turns} turns"
        return TurnsExhausted(
            f"the model of agent `{self.context.turn.path}` asked for tools in {turns} and gave no answer",
            hint="Raise `max_turns` of the agent, or say in its prompt when it is to answer.",
        )


@asynccontextmanager
async def tool_dialogue(context: AgentContext, work: ModelWork) -> AsyncIterator[ToolDialogue]:
    """Return the dialogue of an agent that has tools. Raises what keeps one of them from being offered.

    The time limit of the agent, which is that of each request where there are no tools, is that of all of it.
    """
    turn = context.turn
    ensembles = ensemble_tools(context, work)
    others = [name for name in work.tools if name not in ensembles]
    if others and context.tools is None:
        raise InternalError(f"agent `{turn.path}` has tools, and none can be called here")
    kept = KeptActions(turn.actions or NotKept())
    limit_s = turn.agent.timeout_s
    async with AsyncExitStack() as stack:
        if limit_s is not None:
            hint = "Raise `timeout_seconds` of the agent."
            limit = within_time_limit(turn.path, limit_s, hint, limits=turn.limits)
            await stack.enter_async_context(limit)
        offered = await context.tools.offered(turn.path, others) if context.tools is not None and others else ()
        toolbox = Toolbox(turn, (*offered, *ensembles.values()), kept, tools=context.tools, spill=context.spill)
        yield ToolDialogue(context, work, toolbox, kept)


def _digest(prompt: str, system_prompt: str | None) -> str:
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass"))
    if system_prompt is not None:
        digest.update(b"\0" + system_prompt.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def _turn_of(output: AgentOutput, digest: str, first: int) -> ToolTurn:
    wants, call = output.wants, output.last
    if wants is None or call is None:
        raise InternalError("a turn without calls of tools is an answer")
    return ToolTurn(digest, first, wants.model, call, output.text, wants.calls, wants.own)
