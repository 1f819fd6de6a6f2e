"""An input that an ensemble declares."""

from __future__ import annotations

from typing import Literal

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

InputType = Literal["string", "integer", "number", "boolean", "array", "object", "file", "files"]
"""As in JSON Schema; the value of a `file` is an `agents.files.ref.FileRef`, that of `files` a list of them."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input: `${inputs.NAME}` in texts. Without a default, each run has to be given a value.

    `enum` lists the only values that it may have; empty: any of its type.
    """

    name: str
    type: InputType = "string"
    description: str = ""
    enum: tuple[JsonValue, ...] = ()
    default: JsonValue = None
    is_required: bool = True
