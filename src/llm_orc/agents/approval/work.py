"""The work of an agent that asks a person."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llm_orc.agents.work import Work
from llm_orc.dataclass import dataclass

AsksFor = Literal["choice", "text"]
DEFAULT_CHOICES = ("approve", "reject")


@dataclass(frozen=True, slots=True)
class ApprovalWork(Work):
    """Ask a person, with `message`, in which references are filled in; their answer is the agent's.

    `asks` says whether they choose one of `choices` or answer in their own words. `within_s` is how long they have
    from the first time they are asked, in seconds; None: as long as they like. Then `otherwise` is the answer;
    None: the agent fails.
    """

    message: str
    choices: tuple[str, ...] = DEFAULT_CHOICES
    within_s: float | None = None
    otherwise: str | None = None
    asks: AsksFor = "choice"
    kind: str = field(default="approval", init=False, repr=False)
