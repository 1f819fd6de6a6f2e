"""Time that passes when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class SetTime:
    """The time as a function, in Unix seconds; whoever sleeps lets it pass."""

    now: float = 1_800_000_000.0
    naps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@dataclass
class SetClock:
    """The time and a duration as an `App` has them; its two readings are told apart by their size."""

    passed_s: float = 0.0

    def now(self) -> float:
        return 1_800_000_000.0 + self.passed_s

    def monotonic(self) -> float:
        return 50.0 + self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds
