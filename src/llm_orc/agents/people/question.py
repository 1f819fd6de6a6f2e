"""What an agent asks a person, and what they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.output import AgentOutput
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue

BY_TIME = "otherwise"
BY_REHEARSAL = "rehearsal"


class WaitsForPerson(Exception):
    """Nobody has answered the agent's question: it is neither answered nor failed, and its run waits.

    It is no `LlmOrcError`, so that whatever turns errors into failures of agents lets it through.
    """


@dataclass(frozen=True, slots=True)
class Question:
    """`choices` empty: it is answered in the person's own words. For the rest see `ApprovalWork`."""

    message: str
    choices: tuple[str, ...]
    within_s: float | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`choice` is one of the question's; None: it was answered with `text`, which else is a note on the choice.

    `by` is who answered, as the system calls them: `otherwise` if the time had passed. `at` is in Unix seconds.
    """

    by: str
    at: float
    choice: str | None = None
    text: str | None = None

    @property
    def words(self) -> str:
        """The answer as text: the choice, or what was written."""
        return self.choice if self.choice is not None else self.text or ""

    @property
    def output(self) -> AgentOutput:
        data: JsonValue = {"choice": self.choice, "text": self.text, "by": self.by, "at": self.at}
        return AgentOutput(self.words, (), data)


def answered(choices: Sequence[str], words: str, by: str, at: float) -> Answer:
    """Return the answer that says `words`: a choice, if there are some."""
    return Answer(by, at, words) if choices else Answer(by, at, text=words)
