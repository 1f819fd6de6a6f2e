"""A kind of agent, as a row of the table of kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llm_orc.agents.work import Needs, Work


@dataclass(frozen=True, slots=True)
class Kind:
    """All that the program knows of a kind of agent. `key` is that of its work."""

    key: str
    work: type[Work]
    needs: Callable[[Any], Needs]  # of work of this kind
