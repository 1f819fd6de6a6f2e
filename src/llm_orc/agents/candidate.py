"""A model that may answer for an agent, ready to be called."""

from __future__ import annotations

from collections.abc import Callable

from llm_orc.agents.choice import ModelChoice
from llm_orc.auth.access import Access, Billing
from llm_orc.dataclass import dataclass
from llm_orc.providers.base import ModelInterface, Usage


@dataclass(frozen=True, slots=True)
class Unbounded:
    """Why nobody knows beforehand how many tokens a call may take, and what to do, as a sentence."""

    because: str
    hint: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is ready to be called, and what a call of it costs."""

    choice: ModelChoice
    model: ModelInterface
    access: Access
    cost_usd: Callable[[str, Usage], float | None]  # (model that answered, usage) → USD; None: unknown
    unpriced_options: tuple[str, ...] = ()  # the `options` that may cost anything but tokens
    unbounded: Unbounded | None = None  # why nobody knows how many tokens a call may take

    @property
    def is_metered(self) -> bool:
        return self.access.billing is Billing.METERED
