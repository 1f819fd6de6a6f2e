"""What an agent says of being asked several times."""

from __future__ import annotations

from llm_orc.dataclass import dataclass

WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Samples:
    """Ask at most `max` times, and take the answer that most agree on.

    With `ahead`, it is decided as soon as one answer has so many votes more than any other; in any case as soon as
    no further answer can change it. `vote` is what has to be equal: the `whole` answer, or a field of its data,
    with dots (`verdict.kind`).
    """

    max: int
    ahead: int | None = None
    vote: str = WHOLE
