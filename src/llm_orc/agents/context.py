"""The little that an agent's work may ask for while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.tools.results import SpillResult
from llm_orc.agents.tools.tool import Tools
from llm_orc.agents.turn import NO_ROUND, AgentTurn, AskPerson, CallAgent
from llm_orc.dataclass import dataclass
from llm_orc.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.people.question import Answer, Question
    from llm_orc.agents.tool_talk.talk import ToolTalk
    from llm_orc.agents.turn import AgentObserver, ChildResult, RoundValues
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message


@dataclass(frozen=True, slots=True)
class AgentContext:
    """One turn of one agent, for its work: what it is given, and what it may do."""

    turn: AgentTurn
    ask_model: CallAgent
    ask_person: AskPerson | None = None  # None: nobody can be asked here
    tools: Tools | None = None  # None: none can be called here
    spill: SpillResult | None = None  # None: what of a tool's result is too long for a model is lost

    @property
    def prompt(self) -> str:
        """The task, and the answers that the agent depends on."""
        return self.turn.prompt

    async def call_model(
        self,
        prompt: str | None = None,
        *,
        model: int = 0,
        after: tuple[Message, ...] = (),
        observer: AgentObserver | None = None,
        talk: ToolTalk | None = None,
    ) -> AgentOutput:
        """Ask one of the models that the work needs, by its place in `Needs.models`; returns its answer.

        `prompt` None: the agent's own. `after` are turns of this very conversation, which the prompt goes on with.
        `observer` None: the agent's. `talk`: the tools that the model may ask for; what it wants first may then be
        returned instead of an answer. Raises what keeps all of its fallbacks from answering.
        """
        turn = self.turn
        if after or observer is not None:
            if after and turn.files:  # they went with the prompt that the turn began with
                after = (replace(after[0], files=turn.files), *after[1:])
                turn = replace(turn, files=())
            turn = replace(turn, history=(*turn.history, *after), observer=observer or turn.observer)
        if prompt is not None or model:
            turn = replace(turn, prompt=turn.prompt if prompt is None else prompt, model=model)
        if talk is not None:
            turn = replace(turn, talk=talk)
        return await self.ask_model(turn)

    async def run_child(
        self,
        child: str,
        task: str,
        at: AgentPath | None = None,
        inputs: Mapping[str, JsonValue] | None = None,
        of_round: RoundValues = NO_ROUND,
    ) -> ChildResult:
        """Run one of the graphs that its kind names as `children`, on a task and inputs of its own.

        The files of the agent's turn come with its task. `at` is the path that its agents are put below, where it
        runs more than once (`agents.path.item_of`); None: the agent's own. `of_round`: see there. Failures of its
        agents are in the result, not raised.
        """
        if self.turn.children is None:
            raise InternalError(f"nothing can run within agent `{self.turn.path}`")
        files = self.turn.files  # those of the task
        return await self.turn.children.run(child, task, at or self.turn.path, inputs, of_round, files=files)

    async def ask(self, question: Question) -> Answer:
        """Ask a person. The slot of the agent is free meanwhile. Raises `WaitsForPerson`, `ApprovalExpired`."""
        ask = self.turn.ask_person or self.ask_person
        if ask is None:
            raise InternalError(f"nobody can be asked what agent `{self.turn.path}` asks")
        return await ask(self.turn, question)

    def text(self, key: str, written: str) -> str:
        """Return a text of the work with its references filled in; `key` is that of its `Text`."""
        return self.turn.texts.get(key, written)

    def notice(self, message: str) -> None:
        """Tell the agent's person something, in one sentence."""
        self.turn.observer.notice(message)
