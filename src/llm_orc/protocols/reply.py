"""An answer that a server gives, ready to be written in any dialect."""

from __future__ import annotations

from typing import Literal

from llm_orc.dataclass import dataclass
from llm_orc.providers.parts import ToolCall

Stop = Literal["end", "tool", "max_tokens", "refusal"]


@dataclass(frozen=True, slots=True)
class ServedUsage:
    """The usage of an answer; `input_tokens` includes cached ones."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ServedReply:
    """One answer, ready to be written in any dialect. `created_at` is in Unix seconds; `number` counts from 1.

    `calls` come after the text. `thinks`: the client wants to see, or keep, what the model thought before them.
    """

    number: int
    created_at: float
    model: str
    tokens: tuple[str, ...]
    usage: ServedUsage
    stop: Stop = "end"
    counts_usage: bool = True
    calls: tuple[ToolCall, ...] = ()
    thinks: bool = False

    @property
    def text(self) -> str:
        return "".join(self.tokens)
