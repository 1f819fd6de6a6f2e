"""What an agent has done with its tools: kept before anything follows from it, so that nothing is done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from llm_orc.agents.output import ModelCall
from llm_orc.dataclass import dataclass
from llm_orc.providers.parts import OwnBlocks, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

ToolOutcome = Literal["done", "failed", "refused", "unknown"]
"""`refused`: it was not called. `unknown`: whoever called it was gone before it had ended."""


@dataclass(frozen=True, slots=True)
class ToolTurn:
    """A turn of a model that asks for tools, which took `call`.

    `prompt` is a digest of what it goes back to: the record counts only for the same. `first` is the number of its
    first call among all calls of the agent in its run. `model` is how the model was named in the request.
    """

    prompt: str
    first: int
    model: str
    call: ModelCall
    text: str
    calls: tuple[ToolCall, ...]
    own: OwnBlocks | None = None

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + len(self.calls))


@dataclass(frozen=True, slots=True)
class ToolBegun:
    """A call of a tool is about to be made: from here on it may have an effect.

    `may_repeat`: a second call would change nothing more.
    """

    number: int
    name: str
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """A call of a tool has ended, and what the model is told of it.

    `omitted` is how many characters of its result the model is not told; `spilled` is the file that has all of it.
    """

    number: int
    name: str
    outcome: ToolOutcome
    duration_s: float
    text: str
    omitted: int = 0
    spilled: str = ""


ToolAction = ToolTurn | ToolBegun | ToolEnded


class ActionLog(Protocol):
    """The actions of one agent in its run."""

    @property
    def earlier(self) -> Sequence[ToolAction]:
        """Those that earlier processes have kept, in order."""
        ...

    async def keep(self, action: ToolAction) -> None:
        """Return when the action is durable."""
        ...


class NotKept:
    """An `ActionLog` where nothing is durable."""

    earlier: Sequence[ToolAction] = ()

    async def keep(self, action: ToolAction) -> None:
        """Forget it."""
