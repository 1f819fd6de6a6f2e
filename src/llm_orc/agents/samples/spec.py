"""What an agent says of being asked several times."""

from __future__ import annotations

from llm_orc.dataclass import dataclass

WHOLE = "whole"
CHOOSE = "choose"


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that chooses one of the answers.

    `profile` None: the model of the agent. `by` says in the author's words which answer is the best.
    """

    profile: str | None = None  # None: the model of the agent
    by: str = ""  # which answer is the best, in the author's words


@dataclass(frozen=True, slots=True)
class Samples:
    """Ask at most `max` times, and take the answer that most agree on.

    With `ahead`, it is decided as soon as one answer has so many votes more than any other; in any case as soon as
    no further answer can change it. `vote` is what has to be equal: the `whole` answer, or a field of its data,
    with dots (`verdict.kind`).

    With a `judge`, all `max` are asked, and it chooses one of the answers that differ; it may be any.
    """

    max: int  # how often it is asked at most
    ahead: int | None = None  # votes more than any other, that decide it
    vote: str = WHOLE  # or the field that has to be equal
    judge: Judge | None = None  # None: they vote
