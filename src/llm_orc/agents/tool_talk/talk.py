"""What a request to a model has beside its words where tools are offered, and what comes back of them."""

from __future__ import annotations

from llm_orc.auth.access import Access
from llm_orc.dataclass import dataclass
from llm_orc.providers.parts import OwnBlocks, ToolAnswer, ToolCall, ToolOffer


@dataclass(frozen=True, slots=True)
class ToolTalk:
    """`results` are the answers to all calls of the turn before. `model` and `access` are those that began.

    What has begun goes on with them: those that failed before are not tried again.
    """

    offers: tuple[ToolOffer, ...]
    results: tuple[ToolAnswer, ...] = ()
    model: str = ""  # empty: nobody has begun
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class ToolsWanted:
    """What a model wants before it goes on; `model` is how it was named in the request."""

    calls: tuple[ToolCall, ...]
    model: str
    own: OwnBlocks | None = None
