"""The workloads that every program runs: their shapes and their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["fan", "layers", "chain", "stream"]

STREAM_TOKENS = 200
MODEL = "benchmark"
SYSTEM_PROMPT = "You are a financial analyst specializing in startup valuations."
PROMPT = "Is this startup worth a seed round? A two-person B2B SaaS with 40 paying customers."


@dataclass(frozen=True, slots=True)
class Shape:
    """`layers` of `width` calls; each layer waits for all of the one before.

    `fan`: one layer of whole replies; `stream`: one layer of streams; `chain`: layers of one call.
    """

    kind: Kind
    layers: int
    width: int

    @property
    def calls(self) -> int:
        return self.layers * self.width

    @property
    def streamed(self) -> bool:
        return self.kind == "stream"

    def __str__(self) -> str:
        match self.kind:
            case "layers":
                return f"layers:{self.layers}x{self.width}"
            case "chain":
                return f"chain:{self.layers}"
            case _:
                return f"{self.kind}:{self.width}"


def fan(width: int) -> Shape:
    return Shape("fan", 1, width)


def stream(width: int) -> Shape:
    return Shape("stream", 1, width)


def chain(length: int) -> Shape:
    return Shape("chain", length, 1)


def layers(count: int, width: int) -> Shape:
    return Shape("layers", count, width)


def parse_shape(text: str) -> Shape:
    """Read a shape from its `str` form."""
    kind, _, size = text.partition(":")
    first, _, second = size.partition("x")
    match kind:
        case "fan":
            return fan(int(first))
        case "stream":
            return stream(int(first))
        case "chain":
            return chain(int(first))
        case "layers":
            return layers(int(first), int(second))
        case _:
            raise ValueError(f"`{kind}` is none of {', '.join(get_args(Kind))}")
