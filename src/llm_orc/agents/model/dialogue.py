"""What one agent and its model say to each other in one turn of the agent: questions and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.providers.base import Message

if TYPE_CHECKING:
    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.turn import AgentObserver
    from llm_orc.agents.work import ModelWork


class Dialogue:
    """Each question goes on with all that was said before it: `after`."""

    def __init__(self, context: AgentContext, work: ModelWork) -> None:
        self.context = context
        self.system_prompt = context.turn.texts.get("system_prompt", work.system_prompt)
        self.after: tuple[Message, ...] = ()

    async def ask(self, prompt: str, observer: AgentObserver | None = None) -> AgentOutput:
        """Return the answer to `prompt`; the first request is made with `observer`."""
        output = await self.context.call_model(prompt, after=self.after, observer=observer)
        self.add(Message("user", prompt, self.system_prompt), Message("assistant", output.text))
        return output

    def add(self, *messages: Message) -> None:
        """Keep what has been said."""
        self.after = (*self.after, *messages)
