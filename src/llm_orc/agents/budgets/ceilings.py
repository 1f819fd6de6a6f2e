"""Ceilings: what a run, or an agent with all that runs within it, may spend at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

Limited = Literal["cost", "calls", "tokens"]
KEYS: dict[Limited, str] = {"cost": "max_cost", "calls": "max_calls", "tokens": "max_total_tokens"}
"""The key of each ceiling in files."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What may be spent at most. None: no ceiling."""

    max_cost_usd: float | None = None  # over metered accesses
    max_calls: int | None = None  # over all accesses, retries included
    max_total_tokens: int | None = None  # of input and output, over all accesses

    @property
    def limited(self) -> tuple[Limited, ...]:
        """What has a ceiling."""
        limits = (self.max_cost_usd, self.max_calls, self.max_total_tokens)
        return tuple(key for key, limit in zip(KEYS, limits, strict=True) if limit is not None)

    def lowest(self, others: Iterable[Ceilings]) -> Ceilings:
        """Return the lowest of each ceiling."""
        all_of = (self, *others)
        return Ceilings(
            lowest(*(one.max_cost_usd for one in all_of)),
            lowest(*(one.max_calls for one in all_of)),
            lowest(*(one.max_total_tokens for one in all_of)),
        )

    def over(self, before: Ceilings) -> Ceilings:
        """Return `before` with those of these that are set."""
        return Ceilings(
            before.max_cost_usd if self.max_cost_usd is None else self.max_cost_usd,
            before.max_calls if self.max_calls is None else self.max_calls,
            before.max_total_tokens if self.max_total_tokens is None else self.max_total_tokens,
        )


NO_CEILINGS = Ceilings()


@dataclass(frozen=True, slots=True)
class Spent:
    """What counts against ceilings."""

    usd: float = 0.0
    calls: int = 0
    tokens: int = 0


NOTHING = Spent()

_Number = TypeVar("_Number", int, float)


def lowest(*limits: _Number | None) -> _Number | None:
    """Return the lowest of the limits; None: there is none."""
    return min((one for one in limits if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class Most:
    """What one attempt of a call can cost and take at most: US dollars if it is metered, and tokens."""

    usd: float = 0.0
    tokens: int = 0


NO_MOST = Most()
