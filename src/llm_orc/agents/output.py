"""What an agent gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from llm_orc.auth.access import Access
from llm_orc.providers.base import StopReason, Usage


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
