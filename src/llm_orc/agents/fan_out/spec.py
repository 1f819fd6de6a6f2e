"""What an agent says of the list whose items it runs over."""

from __future__ import annotations

from typing import Literal

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue


@dataclass(frozen=True, slots=True)
class FanOut:
    """Run the agent once for each item of a list; its answer is the list of all answers, in the order of items.

    `over` is a reference to the list, or the items themselves, in which references are filled in; None: the answer
    of the first agent that this one depends on. References to the item call it `name`. There may be `max` items,
    and `max_concurrent` of them run at once (None: as many as the run allows). Where an item fails, its error is
    kept in its slot (`keep`), or the agent fails (`fail`).
    """

    over: str | tuple[JsonValue, ...] | None = (
        None  # a reference, or the items; None: the first dependency's answer
    )
    name: str = "item"  # what references call the item
    max: int = 100  # items
    max_concurrent: int | None = None  # None: as many as the run allows
    on_item_failure: Literal["keep", "fail"] = "keep"  # whether the error stands in its slot, or the agent fails
