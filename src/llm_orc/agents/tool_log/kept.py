"""What an agent has done with its tools, in all processes of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.tool_log.actions import ToolBegun, ToolEnded, ToolTurn

if TYPE_CHECKING:
    from llm_orc.agents.tool_log.actions import ActionLog


class KeptActions:
    """Turns of before are given again in their order; what follows from them is looked up by its number."""

    def __init__(self, log: ActionLog) -> None:
        self._log = log
        self._turns = [action for action in log.earlier if isinstance(action, ToolTurn)]
        self._begun = {action.number for action in log.earlier if isinstance(action, ToolBegun)}
        self._ended = {action.number: action for action in log.earlier if isinstance(action, ToolEnded)}
        self.next_number = max((turn.numbers.stop for turn in self._turns), default=0)

    def next_turn(self, prompt: str) -> ToolTurn | None:
        """Return the next turn of before that goes back to this prompt (see `ToolTurn`); None: there is none.

        What was said to another prompt before it is left out.
        """
        for i, turn in enumerate(self._turns):
            if turn.prompt == prompt:
                del self._turns[: i + 1]
                return turn
        return None

    async def keep_turn(self, turn: ToolTurn) -> None:
        """Keep a new turn; none of before follows it."""
        self._turns.clear()
        self.next_number = turn.numbers.stop
        await self._log.keep(turn)

    def has_begun(self, number: int) -> bool:
        """Return whether the call may have had an effect."""
        return number in self._begun

    def ended(self, number: int) -> ToolEnded | None:
        return self._ended.get(number)

    async def begin(self, begun: ToolBegun) -> None:
        await self._log.keep(begun)

    async def end(self, ended: ToolEnded) -> None:
        await self._log.keep(ended)
