"""The pace that a provider takes: how many calls may start in a second, learnt from what it refuses.

Nothing is known at first, so a crowd starts with a few and doubles quickly: a provider with a limit says so after
a few refusals, one without costs some tenths of a second, once. After a refusal starts are spaced: a little slower
than what was just taken, then ever less so until the next refusal. So each process finds its share by itself. No
clock and no waiting in here.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

_CROWD = 20  # calls in flight before anything is known
_DOUBLED_EACH_S = 0.2
_OPEN = 4096  # in flight without a refusal: nothing more to find out
_SPAN_S = 10.0  # what was taken is looked at over the last second, and over as long
_BACK, _BACK_TWICE = 0.85, 0.5  # after a refusal; after one more without an answer in between
_FIRST_GUESS = 1.0  # starts in a second, where nothing was taken before the first refusal
_SLOWEST = 0.15  # so often a provider that refuses all is asked
_GROWTH = 0.02  # in a second
_GROWTH_S = 5.0  # so long after a refusal it has doubled
_FASTEST_GROWTH = 0.2
_FORGIVEN_S = 60.0  # without a refusal or a start that was held back
_SPREAD = 0.3  # of a space between two starts, so that processes don't march in step


@dataclass(frozen=True, slots=True)
class Start:
    """When a call started, and how many lessons had been learnt by then."""

    at: float
    lesson: int


class Pace:
    """What is known of one access. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._crowd: float = _CROWD
        self._doubled_at: float | None = None
        self._starts: deque[float] = deque(maxlen=1024)
        self._refused: deque[float] = deque(maxlen=1024)  # when those that were refused had started
        self._rate = math.inf
        self._next_at = -math.inf
        self._lesson = 0
        self._unanswered = 0  # lessons since the last answer
        self._unanswered_since = math.inf
        self._learnt_at = self._grown_at = self._held_at = -math.inf

    @property
    def is_slow(self) -> bool:
        """Starts are spaced, because the provider has refused some."""
        return self._rate != math.inf

    @property
    def unanswered(self) -> tuple[int, float]:
        """How many refusals that taught something came since the last answer, and when the first of them did."""
        return self._unanswered, self._unanswered_since

    def wait_s(self, in_flight: int, now: float) -> float:
        """Return how long until the next call may start."""
        if self._rate == math.inf:
            return self._crowd_wait_s(in_flight, now) if in_flight >= self._crowd else 0.0
        if self._next_at <= now:
            return 0.0
        self._held_at = now
        return self._next_at - now

    def started(self, now: float, jitter: float) -> Start:
        """`jitter` is by chance, from 0 to 1."""
        self._starts.append(now)
        if self._rate != math.inf:
            space_s = (1 - _SPREAD / 2 + _SPREAD * jitter) / self._rate
            self._next_at = max(now, self._next_at) + space_s
        return Start(now, self._lesson)

    def refused(self, start: Start, now: float, asked_s: float | None) -> bool:
        """The provider would not take this call, and asked for a pause or not.

        True where that was to be expected: others were taken meanwhile, or it started before the last lesson.
        """
        self._refused.append(start.at)
        is_news = start.lesson == self._lesson
        least = _FIRST_GUESS if self._rate == math.inf else _SLOWEST
        if is_news:
            self._lesson += 1
            self._unanswered += 1
            self._unanswered_since = min(self._unanswered_since, now)
            self._learnt_at = self._grown_at = now
            self._rate *= _BACK if self._unanswered == 1 else _BACK_TWICE
        # Those that were out together come back one by one: with each the guess gets better.
        self._rate = max(_SLOWEST, min(self._rate, max(least, self._taken(now)) * _BACK))
        if is_news and asked_s is None:
            self._next_at = max(self._next_at, now + 1 / self._rate)
        return not is_news or self._unanswered == 1

    def answered(self, start: Start, now: float) -> None:
        """The provider has taken this call."""
        if self._rate == math.inf:
            self._crowd += 1
            return
        if start.lesson == self._lesson:
            self._unanswered, self._unanswered_since = 0, math.inf
        passed_s, self._grown_at = now - self._grown_at, now
        growth = min(_FASTEST_GROWTH, _GROWTH * (1 + (now - self._learnt_at) / _GROWTH_S))
        self._rate *= math.exp(min(1.0, growth * passed_s))
        if now - max(self._learnt_at, self._held_at) > _FORGIVEN_S:
            self._rate = math.inf

    def begin_again(self, now: float) -> None:
        """Those who waited have given up: whoever comes next waits as long as they did."""
        self._unanswered, self._unanswered_since = 1, now

    def _taken(self, now: float) -> float:
        """How many calls in a second the provider has just taken, as far as is known."""
        return max(self._count(now - 1.0), self._count(now - _SPAN_S) / _SPAN_S)

    def _count(self, since: float) -> int:
        return sum(at > since for at in self._starts) - sum(at > since for at in self._refused)

    def _crowd_wait_s(self, in_flight: int, now: float) -> float:
        if self._doubled_at is None:
            self._doubled_at = now
        while now - self._doubled_at >= _DOUBLED_EACH_S and self._crowd < _OPEN:
            self._doubled_at += _DOUBLED_EACH_S
            self._crowd *= 2
        if self._crowd >= _OPEN:
            self._crowd = math.inf
        return 0.0 if in_flight < self._crowd else max(0.0, self._doubled_at + _DOUBLED_EACH_S - now)
