"""What a model is told of the result of a tool."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from llm_orc.agents.path import AgentPath
from llm_orc.auth.masking import hide
from llm_orc.dataclass import dataclass
from llm_orc.net.text import whole_text

if TYPE_CHECKING:
    from llm_orc.agents.tools.tool import ToolResult

MOST_TOLD = 50_000
"""Characters of a result that a model is told; of a longer one, its beginning and its end."""

_TAIL = MOST_TOLD // 5

SpillResult = Callable[[AgentPath, int, str], Awaitable[str]]
"""Writes the whole result of an agent's call, by its number, to a file of the run; returns its path."""


@dataclass(frozen=True, slots=True)
class Told:
    """`omitted` is how many characters are left out of the text, `spilled` the file that has all of them."""

    text: str
    omitted: int = 0
    spilled: str = ""


async def told_of(result: ToolResult, agent: AgentPath, number: int, spill: SpillResult | None) -> Told:
    """Return what the model is told, without credentials that this program knows."""
    text = result.text
    if not text and result.data is not None:
        text = json.dumps(result.data, ensure_ascii=False)
    text = whole_text(hide(text))
    if len(text) <= MOST_TOLD:
        return Told(text or "(The result is empty.)")
    omitted = len(text) - MOST_TOLD
    spilled = "" if spill is None else await spill(agent, number, text)  # for people: the model can't read it
    left_out = f"\n[… {omitted:,} of {len(text):,} characters are left out here …]\n"
    return Told(text[: MOST_TOLD - _TAIL] + left_out + text[-_TAIL:], omitted, spilled)
