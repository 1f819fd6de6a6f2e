"""Which agents have started without answers that they needed, and whose answers came too late for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from llm_orc.agents.path import AgentPath
    from llm_orc.engine.events import AgentStarted


class LateAnswers:
    """Folds the starts of agents. What an earlier attempt has said counts until the agent starts again."""

    def __init__(self) -> None:
        self.without: dict[str, tuple[AgentPath, ...]] = {}

    def apply(self, event: AgentStarted) -> None:
        if event.without:
            self.without[event.agent] = event.without
        else:
            self.without.pop(event.agent, None)

    def late_for(self, answered: Container[str]) -> dict[str, tuple[str, ...]]:
        """Return, for each of the agents that have answered and were late, those that had started without it."""
        late: dict[str, tuple[str, ...]] = {}
        for path, others in self.without.items():
            for other in others:
                if other in answered:
                    late[other] = (*late.get(other, ()), path)
        return late
