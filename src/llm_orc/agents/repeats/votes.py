"""Count the votes of several answers: what they have in common, who leads, and when it is decided."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from llm_orc.agents.references.scope import field_at, json_in
from llm_orc.agents.references.syntax import Reference
from llm_orc.agents.samples.spec import WHOLE
from llm_orc.errors import ReferenceWithoutValue

if TYPE_CHECKING:
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.samples.spec import Samples
    from llm_orc.jsontypes import JsonValue


class Votes:
    """The votes so far, by what the answers say."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._counts: Counter[str] = Counter()
        self.asked = 0  # answers, and failures, that there are

    def add(self, vote: str | None) -> None:
        """Count an answer; None: it failed, or has no such field, and votes for nothing."""
        self.asked += 1
        if vote is not None:
            self._counts[vote] += 1

    @property
    def lead(self) -> int:
        """How many votes the first has more than the second."""
        first, second = (*(count for _, count in self._counts.most_common(2)), 0, 0)[:2]
        return first - second

    @property
    def needed(self) -> int:
        """How many more votes it takes at least to decide it; 0: it is decided, or all have been asked."""
        left = self._samples.max - self.asked
        if self._samples.judge is not None:
            return left
        if self.lead > left:
            return 0
        needed = (left - self.lead) // 2 + 1
        if self._samples.ahead is not None:
            needed = min(needed, max(self._samples.ahead - self.lead, 0))
        return min(needed, left)

    def agreed_on(self, vote: str) -> int:
        return self._counts[vote]

    def has_most(self, vote: str) -> bool:
        return self._counts[vote] == max(self._counts.values(), default=0)


def vote_of(output: AgentOutput, vote: str) -> str | None:
    """Return what an answer votes for, as canonical JSON; None: it has no such field. Raises nothing."""
    try:
        data = output.data if output.data is not None else json_in(output.text)
        if vote == WHOLE:
            return _canonical(data)
        return _canonical(field_at(data, tuple(vote.split(".")), Reference(vote)))
    except ReferenceWithoutValue:
        return None
    except (ValueError, RecursionError):  # no JSON, or nested so deeply that it can't be compared as such
        return None if vote != WHOLE else " ".join(output.text.split())


def _canonical(value: JsonValue) -> str:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: JsonValue) -> JsonValue:
    """Return the value with one form for equal numbers (`1.0` is `1`), and texts without spaces around them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value
