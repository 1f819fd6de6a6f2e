"""The rate that a provider accepts: calls that may start per second, learned from its refusals.

Nothing is known at first, so a large group of calls starts with a few and doubles quickly: a provider with a limit
shows it by a few refusals; one without costs some tenths of a second, once. After a refusal starts are spaced: a
little slower than what was just accepted, then gradually faster until too many are refused again. So each process
finds its share by itself. A provider that refuses at random refuses as many at any rate: then the rate is not
lowered. This module has no clock and never waits.
"""

from __future__ import annotations

import math
from collections import deque

from llm_orc.dataclass import dataclass

_CROWD = 20  # calls in flight before anything is known
_DOUBLED_EACH_S = 0.2
_OPEN = 4096  # in flight without a refusal: nothing more to find out
_SPAN_S = 10.0  # what was taken is looked at over the last second, and over as long
_BACK, _BACK_TWICE = 0.85, 0.5  # after too many refusals; after one more of many without an answer in between
_OUTAGE = 4  # so many may come by chance
_FADES = 0.95  # what one more call leaves of the share that was refused before it
_FEW, _MANY, _NEARLY_ALL = 0.15, 8, 0.8  # a share that is no reason to go slower; calls that make one; an outage
_SLOWER, _BETTER = 0.65, 0.7  # who is asked so much slower should refuse less than so much, or it is chance
_MARGIN_S = 0.05
_CHANCE_S = 15.0  # how long it is taken for that
_FIRST_GUESS = 1.0  # starts in a second, where nothing was taken before the first refusal
_SLOWEST = 0.15  # so often a provider that refuses all is asked
_ASKED, _ASKED_FASTEST = 0.3, 5.0  # starts for each pause that it asks for, and in a second, where it takes some
_GROWTH = 0.02  # in a second
_GROWTH_S = 5.0  # so long after a refusal it has doubled
_FASTEST_GROWTH = 0.2
_FORGIVEN_S = 60.0  # without a refusal or a start that was held back
_SPREAD = 0.3  # of a space between two starts, so that processes don't march in step


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """When a call started, and the number of refusals that had been learned from by then."""

    at: float
    lesson: int


class Pace:
    """The known rate of one access. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._crowd: float = _CROWD
        self._doubled_at: float | None = None
        self._starts: deque[float] = deque(maxlen=1024)
        self._out: set[Start] = set()
        self._refused: deque[float] = deque(maxlen=1024)  # when those that were refused had started
        self._rate = math.inf
        self._next_at = -math.inf
        self._lesson = self._first_lesson = 0
        self._ended = self._ended_refused = 0.0  # calls since the last cut, the older ones faded
        self._before: tuple[float, float] | None = None  # rate and share at the last cut
        self._no_cut_before = -math.inf
        self._unanswered = 0  # lessons since the last answer
        self._unanswered_since = math.inf
        self._learnt_at = self._grown_at = self._held_at = -math.inf

    @property
    def is_slow(self) -> bool:
        """True if starts are spaced because the provider has refused some."""
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
        """`jitter` is random, from 0 to 1."""
        self._starts.append(now)
        if self._rate != math.inf:
            space_s = (1 - _SPREAD / 2 + _SPREAD * jitter) / self._rate
            self._next_at = max(now, self._next_at) + space_s
        start = Start(now, self._lesson)
        self._out.add(start)
        return start

    def ended(self, start: Start) -> None:
        """The call has ended, however: for each that started, before its outcome is reported."""
        self._out.discard(start)

    def refused(self, start: Start, now: float, asked_s: float | None) -> bool:
        """The provider refused this call, with or without a requested pause.

        True if that was to be expected: others were accepted lately, or it started before the last refusal.
        """
        self._refused.append(start.at)
        is_first, is_news = self._rate == math.inf, start.lesson == self._lesson
        if is_news:
            self._lesson += 1
            self._note_unanswered(start, now)
        if is_first:
            self._first_lesson = self._lesson
        if self._lesson == self._first_lesson:
            self._learnt_at = self._grown_at = now
            # Those that were out together come back one by one: with each the guess gets better.
            least = _FIRST_GUESS if is_first else _SLOWEST
            self._rate = min(self._rate, max(least, self._taken(now)) * _BACK)
        else:
            self._count_end(refused=True)
            if is_news and self._unanswered > _OUTAGE:
                self._rate *= _BACK_TWICE
            elif now >= self._no_cut_before:
                self._cut(now)
        self._rate = max(self._slowest(asked_s), self._rate)
        if is_news and asked_s is None and self._unanswered > 1:
            self._next_at = max(self._next_at, now + 1 / self._rate)
        return not is_news or self._unanswered <= _OUTAGE

    def _slowest(self, asked_s: float | None) -> float:
        """A provider that wants a short pause, and takes calls in between, means no long one."""
        if not asked_s or self._unanswered > _OUTAGE:
            return _SLOWEST
        return max(_SLOWEST, min(_ASKED_FASTEST, _ASKED / asked_s))

    def _note_unanswered(self, start: Start, now: float) -> None:
        """Answers take longer than refusals: a call that is out for much longer than this one is being taken."""
        took_s = now - start.at
        if any(now - other.at > 2 * took_s + _MARGIN_S for other in self._out):
            self._unanswered, self._unanswered_since = 1, now
            return
        self._unanswered += 1
        self._unanswered_since = min(self._unanswered_since, now)

    def _cut(self, now: float) -> None:
        """Go slower if too many are refused; restore the rate if going much slower has changed nothing."""
        share = self._ended_refused / self._ended
        if share <= _FEW:
            self._before = self._before if self._ended < 2 * _MANY else None
            return
        if self._ended < _MANY * _FADES:
            return
        self._ended = self._ended_refused = 0.0
        self._learnt_at = self._grown_at = now
        if self._before is None:
            self._before = (self._rate, share)
        rate, share_then = self._before
        if self._rate <= rate * _SLOWER and share_then * _BETTER <= share < _NEARLY_ALL:
            self._rate = rate
            self._before, self._no_cut_before = None, now + _CHANCE_S
            return
        self._rate = min(self._rate, self._taken(now)) * _BACK

    def _count_end(self, *, refused: bool) -> None:
        self._ended = self._ended * _FADES + 1
        self._ended_refused = self._ended_refused * _FADES + refused

    def answered(self, start: Start, now: float) -> None:
        """The provider accepted this call."""
        if self._rate == math.inf:
            self._crowd += 1
            return
        self._count_end(refused=False)
        if start.lesson == self._lesson:
            self._unanswered, self._unanswered_since = 0, math.inf
        passed_s, self._grown_at = now - self._grown_at, now
        growth = min(_FASTEST_GROWTH, _GROWTH * (1 + (now - self._learnt_at) / _GROWTH_S))
        self._rate *= math.exp(min(1.0, growth * passed_s))
        if now - max(self._learnt_at, self._held_at) > _FORGIVEN_S:
            self._rate, self._crowd, self._doubled_at = math.inf, _CROWD, None

    def begin_again(self, now: float) -> None:
        """The waiting calls have given up: the next ones wait as long as they did."""
        self._unanswered, self._unanswered_since = 1, now

    def _taken(self, now: float) -> float:
        """Return how many calls per second the provider has just accepted, as far as known."""
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
