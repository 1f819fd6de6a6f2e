"""What an agent says of the quotes in its answer."""

from __future__ import annotations

from typing import Literal

from llm_orc.dataclass import dataclass

WithoutEvidence = Literal["fail", "drop"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands in a field of the answer is a quote from one of `sources`, each a reference such as `${task}`.

    `field` has dots; it means the field of every item where there are lists on the way (`findings.quote`). An
    answer with a quote that is in no source is sent back. If it has one after the last repair, the agent fails, or
    the item of the list that it is in is dropped.
    """

    field: str  # with dots, through lists: `findings.quote`
    sources: tuple[str, ...]  # references, such as `${task}`
    otherwise: WithoutEvidence = "fail"  # after the last repair

    def __post_init__(self) -> None:
        if not self.field or not self.sources:
            raise ValueError("evidence needs a field and at least one source")

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self.field.split("."))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its sources among the texts of the agent."""
        key = f"evidence.{self.field}"
        return (key,) if len(self.sources) == 1 else tuple(f"{key}.{i}" for i in range(len(self.sources)))
