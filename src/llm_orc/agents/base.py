"""What an agent is (its spec), what it is given (a turn) and what it gives back (an output)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from llm_orc.auth.access import Access
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import Message, ReplyObserver, StopReason, Usage
from llm_orc.settings.model import AuthMethodName

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError

Requires = Literal["all", "any", "none"]
WhenFull = Literal["error", "truncate-oldest", "summarise"]
"""What happens when a conversation no longer fits its model."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model an agent asked for: a profile's name, or a provider with or without a model.

    `is_typed`: its user named it for this very agent, in the place of what the ensemble's file says.
    """

    profile: str | None = None
    provider: str | None = None
    model: str | None = None
    is_typed: bool = False


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent as its author wrote it. `None` means: as the profile says, else the provider's default."""

    name: str
    model: ModelRef = ModelRef(profile="default")
    system_prompt: str | None = None
    depends_on: tuple[str, ...] = ()
    requires: Requires = "all"  # how many of `depends_on` must have completed for this agent to run
    temperature: float | None = None
    max_tokens: int | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)
    timeout_s: float | None = None
    fallback_model_profile: str | None = None
    output_format: Literal["text", "json"] = "text"
    auth_method: AuthMethodName | None = None
    conversation: bool | None = None  # does it remember? None: where the ensemble or the command line says so


@dataclass(frozen=True, slots=True)
class AgentOutput:
    """A finished answer and everything its reader may want to know about how it came."""

    text: str
    model: str
    access: Access
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None  # None: the price is not known; 0.0: nothing is charged for this call
    stop_reason: StopReason = "end_turn"
    request_id: str = ""
    stop_word: str = ""  # the provider's own, where `stop_reason` is `other`


class AgentObserver(ReplyObserver, Protocol):
    """Watches one agent: a model's text and retries, and which model it is."""

    def calling(self, model: str, access: Access) -> None:
        """The first call is about to be made, with this model over this access."""
        ...

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        """The model before failed with `because`; this one takes over. Text so far is void."""
        ...

    def notice(self, message: str) -> None:
        """Something that the agent's person should know, in one sentence."""
        ...


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """One execution of one agent: the engine's whole request to the outside world.

    The engine knows no conversations: `history`, the turns before this one, and `conversation`, an id that is the
    same for all of them, are put in by whoever keeps them.
    """

    agent: AgentSpec
    prompt: str
    observer: AgentObserver
    history: tuple[Message, ...] = ()
    conversation: str | None = None


class CallAgent(Protocol):
    """The engine's one seam: direct in an interactive run, a durable step in a batch."""

    async def __call__(self, turn: AgentTurn) -> AgentOutput: ...
