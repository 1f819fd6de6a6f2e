"""What a turn of a conversation has beside its text: tools that are offered and called, and files."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Literal

from llm_orc.catalog.rows import DialectName
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

LONGEST_TOOL_NAME = 64
"""Every provider takes names of at most so many letters, digits, `_` and `-`."""


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool that the model may call. `parameters`, JSON Schema, describes the object of its arguments."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asks for, before anything has checked it.

    `id` ties the result to it; one is made where the provider gives none. `arguments` None: they are no JSON
    object, and `written` is what the model wrote instead.
    """

    id: str
    name: str
    arguments: dict[str, JsonValue] | None
    written: str = ""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the model is told of a call. `is_error`: the tool failed, or was not called, and `text` says why."""

    id: str
    name: str
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class OwnBlocks:
    """A turn of a model as its provider wrote it: what can be read by nobody else, such as signed reasoning.

    It goes back unchanged to the same model; another one gets the turn's text and calls. Without a provider and a
    model it goes to any that speaks the dialect.
    """

    dialect: DialectName
    blocks: tuple[JsonValue, ...]
    provider: str = ""
    model: str = ""


FileKind = Literal["image", "pdf", "text", "other"]
_TEXT = re.compile(
    r"text/|image/svg\+xml|application/(?:[\w.-]+\+)?(?:json|xml|yaml|x-yaml|toml|javascript|x-sh|sql|x-ndjson)\b"
)


def kind_of(media_type: str) -> FileKind:
    """Return how protocols tell files of this type apart."""
    if _TEXT.match(media_type):
        return "text"
    if media_type.startswith("image/"):
        return "image"
    return "pdf" if media_type == "application/pdf" else "other"


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file by its content. `name` has no folder, `media_type` is like `image/png`, `size` in bytes."""

    name: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a turn. `data` are its bytes, `media_type` what they are, such as `image/png`."""

    name: str
    media_type: str
    data: bytes = field(repr=False)

    @property
    def kind(self) -> FileKind:
        """How protocols tell files apart."""
        return kind_of(self.media_type)
